"""Searches on a disk that is full after so many KiB, and what is left of them.

`python -m tests.faults.full_disk` searches once for each 4 KiB of the first MiB and prints a table;
`make test-full-disk` runs it. It needs a user who may mount a small disk in a namespace of its own.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.cli.conftest import Result, run_command, write_images
from tests.faults.killing import SPACE, same
from tests.pools import InlinePool, StubServer
from tuner.results.query import open_run
from tuner.results.schema import BACKUP_FILE, COMPLETED, CONFIG_FILE, RUN_FILE, STORE_FILE
from tuner.training.checkpoint import BEST_FILE
from tuner.training.task import TrainTask
from tuner.workers.protocol import Event, FinishModel, Request, WorkerSetup

PAGE_KIB = 4
STEPS = 256
REQUEST = (
    *("search", "--data", "tiny", "--space", "space.py", "--algorithm", "random", "--max-trials", 3),
    *("--max-epochs", 2, "--seed", 7, "--quiet", "--name", "run", "--results-dir"),
)
# Nets so large that the whole run needs a little more than a MiB at a time.
UNITS = "80, 240"
# Files that every run has from its beginning on.
OF_A_RUN = (STORE_FILE, BACKUP_FILE, RUN_FILE, CONFIG_FILE, "trials.csv", "epochs.csv", "worker.log")


class _Server(StubServer):
    """Trains nothing; the same trial has the same weights and scores each time.

    Answers that only depend on the space, or on the weights of a checkpoint, are given again.
    """

    known: ClassVar[dict[object, Event]] = {}

    def answer(self, request: Request, emit: Callable[[Event], None]) -> Event:
        if isinstance(request, TrainTask):
            return super().answer(request, emit)
        key: object = type(request)
        if isinstance(request, FinishModel):
            key = (request.members[0].checkpoint_dir / BEST_FILE).read_bytes()
        if key not in self.known:
            self.known[key] = super().answer(request, emit)
        return self.known[key]

    def _train(self, task: TrainTask, emit: Callable[[Event], None]) -> Event:
        import keras

        keras.utils.set_random_seed(task.seed)
        return super()._train(task, emit)


def _score(values: dict[str, Any], epoch: int) -> float:
    return 0.5 + float(values["units"]) / 1000 + epoch / 100


_Server.score = staticmethod(_score)


class _Pool(InlinePool):
    """Workers without a log of their own."""

    def _serve(self, setup: WorkerSetup) -> _Server:
        return _Server(setup)

    @contextmanager
    def _logged(self) -> Iterator[None]:
        yield


@contextmanager
def drawn_once() -> Iterator[None]:
    """Let each kind of picture be drawn once, and written each time."""
    from matplotlib.figure import Figure

    save, known = Figure.savefig, dict[str, bytes]()

    def write(figure: Figure, path: Path, **options: Any) -> None:
        kind = path.name.rpartition("-")[2]
        if kind not in known:
            buffer = io.BytesIO()
            save(figure, buffer, **options)
            known[kind] = buffer.getvalue()
        path.write_bytes(known[kind])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", write)
        yield


class Arena:
    """A folder with images, a space and one undisturbed search, in `whole/run`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.small = folder, folder / "small"
        write_images(folder / "tiny")
        (folder / "space.py").write_text(SPACE.replace("4, 64", UNITS), encoding="utf-8")
        self.small.mkdir()
        done = self.tuner(*REQUEST, "whole")
        if done.code:
            raise RuntimeError(done.stderr)

    def tuner(self, *arguments: object) -> Result:
        return run_command(*arguments, cwd=self.folder, cache=self.folder / "cache", pool=_Pool)

    def faults(self, kib: int) -> tuple[str, list[str]]:
        """Search where the disk has room for so many KiB, then where it has more.

        Return the outcome of the first search, and all that must not be.
        """
        _mount(self.small, f"size={kib + PAGE_KIB}k")
        try:
            # A disk of size 0 would have no limit.
            (self.small / "filler").write_bytes(bytes(PAGE_KIB * 1024))
            first = self.tuner(*REQUEST, "small")
            found = list(_faults_of(first, self.small / "run"))
            before = _scores(self.small / "run")
            _mount(self.small, "remount,size=400m")
            again = REQUEST if first.code == 2 else ("resume", "run", "--quiet", "--results-dir")
            second = self.tuner(*again, "small") if first.code else first
            if second.code:
                found.append(f"does not go on: {second.stderr}")
            else:
                found += self._differences(before)
            return ("done", "stopped", "not begun")[first.code], found
        finally:
            subprocess.run(["umount", "-l", self.small], check=True)

    def _differences(self, before: dict[str, float | None]) -> list[str]:
        run, whole = self.small / "run", self.folder / "whole" / "run"
        files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
        left = {path.relative_to(run) for path in run.rglob("*") if path.is_file()}
        found = [f"{path} is missing" for path in sorted(files - left)]
        found += [f"{path} is too much" for path in sorted(left - files)]
        if not before.items() <= _scores(run).items():
            found.append("a finished trial is lost")
        if not found and not same(run, whole):
            found.append("another outcome")
        return found


def _faults_of(search: Result, run: Path) -> list[str]:
    """Return all that is wrong with how a search on a full disk ended."""
    if search.code == 0:
        return []
    found = []
    if not re.fullmatch(r"error: cannot write '[^']+': [^\n]*\n", search.stderr):
        found.append(f"not one line that names a file: {search.stderr!r}")
    if not re.search("No space left|full|disk I/O", search.stderr):
        found.append("does not say that the disk is full")
    if search.code == 1 and "tuner resume" not in search.stderr:
        found.append("does not say how to go on")
    if search.code == 2 and run.exists():
        found.append(f"nothing was begun, but there is {[path.name for path in run.iterdir()]}")
    return found


def _scores(run: Path) -> dict[str, float | None]:
    if not (run / STORE_FILE).exists():
        return {}
    return {trial.trial_id: trial.score for trial in open_run(run).trials if trial.status == COMPLETED}


def _mount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=True)


def search_on_full_disks(steps: list[int]) -> int:
    """Search once for each number of pages that the disk has room for; return the number of faults."""
    outcomes: Counter[str] = Counter()
    faults = 0
    with tempfile.TemporaryDirectory() as name, drawn_once():
        arena = Arena(Path(name))
        for step in steps:
            try:
                outcome, found = arena.faults(step * PAGE_KIB)
            except Exception as error:
                outcome, found = "raised", [f"{type(error).__name__}: {error}"]
            outcomes[outcome] += 1
            print(f"{step * PAGE_KIB:>5} KiB {outcome}", file=sys.stderr, flush=True)
            faults += bool(found)
            for fault in found:
                print(f"{step * PAGE_KIB} KiB, {outcome}: {fault}", flush=True)
    for outcome, count in sorted(outcomes.items()):
        print(f"{outcome:<48}{count:>6}")
    print(f"{'searches with a fault':<48}{faults:>6}")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, nargs="*", default=list(range(STEPS)), help="pages of 4 KiB")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        sys.exit(search_on_full_disks(chosen.steps) > 0)
    command = [sys.executable, "-m", "tests.faults.full_disk", "--inside", "--steps"]
    os.execvp("unshare", ["unshare", "-rm", *command, *map(str, chosen.steps)])


if __name__ == "__main__":
    main()
