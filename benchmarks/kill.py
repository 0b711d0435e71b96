"""Kills a search of plain Keras Tuner and one of `tuner` at random moments, and counts what each loses.

    python -m benchmarks.kill --kills 20

Both search the same space on the same images with Hyperband, up to nine epochs a trial. After each kill the
search is started again, as its user would.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.faults.killing import WAIT_S, Arena, kill_searches

SCRIPT = Path(__file__).with_name("plain_keras_tuner.py")
KILLS_PER_SEARCH = 6


@dataclass
class Losses:
    """What the kills of plain Keras Tuner cost."""

    searches: int = 0
    kills: int = 0
    unloadable: int = 0
    trials_lost: int = 0
    epochs_repeated: int = 0
    different: int = 0


class PlainSearch:
    """One project of plain Keras Tuner."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self.folder = arena.folder / "plain"

    def start(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(exist_ok=True)
        return self._arena.start([sys.executable, str(SCRIPT), str(self._arena.folder)])

    def forget(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def epochs(self) -> list[str]:
        log = self.folder / "epochs.log"
        return log.read_text().splitlines() if log.exists() else []

    def completed(self) -> int:
        """Trials on disk that have completed."""
        return sum(
            '"COMPLETED"' in path.read_text() for path in self.folder.glob("search/trial_*/trial.json")
        )

    def ranking(self) -> object:
        return json.loads((self.folder / "ranking.json").read_text())


def kill_plain(arena: Arena, kills: int, rng: random.Random) -> Losses:
    """Kill plain Keras Tuner; a project that cannot be loaded any more is begun anew."""
    losses, plain = Losses(), PlainSearch(arena)
    plain.forget()
    if plain.start().wait() != 0:
        raise RuntimeError((arena.folder / "driver.log").read_text("utf-8")[-2000:])
    undisturbed = plain.ranking()
    while losses.kills < kills:
        plain.forget()
        losses.searches += 1
        for _ in range(min(KILLS_PER_SEARCH, kills - losses.kills)):
            process = plain.start()
            before = len(plain.epochs())
            while process.poll() is None and len(plain.epochs()) == before:
                try:
                    process.wait(0.02)
                except subprocess.TimeoutExpired:
                    continue
            try:
                process.wait(rng.uniform(0.0, 8.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                losses.kills += 1
            else:
                if process.returncode == 0:
                    break
                _begin_anew(plain, losses)
        while plain.start().wait(WAIT_S * 10) != 0:
            _begin_anew(plain, losses)
        losses.epochs_repeated += sum(count - 1 for count in Counter(plain.epochs()).values())
        losses.different += plain.ranking() != undisturbed
        print(losses, file=sys.stderr, flush=True)
    return losses


def _begin_anew(plain: PlainSearch, losses: Losses) -> None:
    """The project cannot be loaded: all that it had is lost."""
    losses.unloadable += 1
    losses.trials_lost += plain.completed()
    plain.forget()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="kills of each")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        losses = kill_plain(Arena(path), arguments.kills, random.Random(arguments.seed))
        (path / "ours").mkdir()
        tally = kill_searches(path / "ours", arguments.kills, arguments.seed, KILLS_PER_SEARCH)
    rows = {
        "searches": (losses.searches, tally.runs),
        "kills": (losses.kills, tally.kills.total()),
        "searches that could not be loaded again": (losses.unloadable, tally.unreadable),
        "finished trials lost": (losses.trials_lost, tally.finished_lost),
        "finished epochs trained again": (losses.epochs_repeated, tally.epochs_repeated),
        "searches with another ranking in the end": (losses.different, tally.different),
    }
    print(f"{'':<44}{'Keras Tuner':>12}{'tuner':>8}")
    for name, (plain, ours) in rows.items():
        print(f"{name:<44}{plain:>12}{ours:>8}")


if __name__ == "__main__":
    main()
