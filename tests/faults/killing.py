"""Searches that are killed again and again, and what is left of them.

`python -m tests.faults.killing --kills 200` prints a table; `make test-faults` runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from tests.conftest import heed_interrupts
from tuner.results.schema import COMPLETED, STORE_FILE
from tuner.results.store import Store

SIDE = 8
IMAGES_PER_CLASS = 150
SPACE = """
import keras
from keras import layers


def build(hp, spec):
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(hp.Int("units", 4, 64), activation=hp.Choice("activation", ["relu", "tanh"])),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid"),
    ])
    rate = hp.Choice("learning_rate", [0.01, 0.003, 0.001])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model
"""
REQUEST = ("--max-epochs", 9, "--objective", "val_loss", "--patience", 0)
# Columns that tell how long something took; all others must come out the same.
MEASURED = ["duration_s", "images_per_s", "started_at"]
TARGETS = ("driver", "worker", "both", "interrupt")
# Kills before the first trial begins find little to destroy.
SHARE_AT_START = 0.1
WAIT_S = 120.0
INTERRUPT_S = 5.0
# Long enough that a search of some seconds is hit everywhere, short enough that it is hit often.
MAX_DELAY_S = 3.0


@dataclass
class Tally:
    """What came of the kills."""

    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    unreadable: int = 0
    finished_lost: int = 0
    epochs_repeated: int = 0
    different: int = 0
    orphans: int = 0
    slow_interrupts: int = 0
    slowest_interrupt_s: float = 0.0

    @property
    def faults(self) -> int:
        """Everything that must not happen."""
        return (
            self.unreadable
            + self.finished_lost
            + self.epochs_repeated
            + self.different
            + self.orphans
            + self.slow_interrupts
        )

    def table(self) -> str:
        """The tally as text, a line each."""
        rows: dict[str, object] = {
            "searches": self.runs,
            "kills": self.kills.total(),
            **{
                f"  of the {target}" if target != "interrupt" else "  by SIGINT": self.kills[target]
                for target in TARGETS
            },
            "resumed": self.resumed,
            "stores or tables that cannot be read": self.unreadable,
            "finished rungs lost": self.finished_lost,
            "finished epochs trained again": self.epochs_repeated,
            "searches that end unlike the one nobody killed": self.different,
            "worker processes left behind": self.orphans,
            "interrupts that took over 5 s": self.slow_interrupts,
            "slowest interrupt, s": f"{self.slowest_interrupt_s:.1f}",
        }
        return "\n".join(f"{name:<48}{value:>6}" for name, value in rows.items())


class Arena:
    """A folder with data, a space and one undisturbed search for each seed."""

    def __init__(self, folder: Path, trials: int = 15) -> None:
        self.folder, self._trials = folder, trials
        rng = np.random.default_rng(0)
        labels = np.repeat([0, 1], IMAGES_PER_CLASS)
        noise = rng.integers(0, 200, (len(labels), SIDE, SIDE, 3))
        images = (noise + labels[:, None, None, None] * 30).astype(np.uint8)
        np.savez(folder / "two.npz", x=images, y=labels, class_names=np.array(["FAKE", "REAL"]))
        (folder / "space.py").write_text(SPACE, encoding="utf-8")
        self._undisturbed: dict[int, Path] = {}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "tuner", *map(str, arguments), "--quiet"]

    def search(self, name: str, seed: int) -> list[str]:
        request = ("--space", "space.py", "--data", "two.npz", *REQUEST, "--seed", seed, "--name", name)
        return self.command("search", *request, "--max-trials", self._trials)

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}
        own = {f"TUNER_{name.upper()}_DIR": str(self.folder / name) for name in ("cache", "state")}
        environment = {**kept, **own, "TUNER_REUSE": "false"}
        with (self.folder / "driver.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)

    def run_path(self, name: str) -> Path:
        return self.folder / "results" / name

    def undisturbed(self, seed: int) -> Path:
        """The run of a search with this seed that nobody killed."""
        if seed not in self._undisturbed:
            name = f"whole-{seed}"
            if self.start(self.search(name, seed)).wait(WAIT_S * 5) != 0:
                raise RuntimeError((self.folder / "driver.log").read_text("utf-8")[-2000:])
            self._undisturbed[seed] = self.run_path(name)
        return self._undisturbed[seed]


def outcome(run: Path) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """What must not depend on how often a search was killed: trials, epochs, test predictions."""
    trials = pd.read_csv(run / "trials.csv", dtype={"trial_id": str}).drop(columns=MEASURED)
    epochs = pd.read_csv(run / "epochs.csv", dtype={"trial_id": str})
    return trials, epochs, (run / "best" / "predictions.csv").read_text("utf-8")


def same(first: Path, second: Path) -> bool:
    """True where two runs came out the same, to the last digit."""
    (trials, epochs, predictions), other = outcome(first), outcome(second)
    return trials.equals(other[0]) and epochs.equals(other[1]) and predictions == other[2]


def finished_rungs(run: Path) -> dict[tuple[str, int], float]:
    """Trial, rung and score of each finished rung on record."""
    store = Store(run / STORE_FILE)
    try:
        rows = store.rows("SELECT trial_id, rung, score FROM rungs WHERE status = ?", (COMPLETED,))
    finally:
        store.close()
    return {(trial_id, rung): score for trial_id, rung, score in rows}


def epochs_repeated(run: Path) -> int:
    """Epochs that were trained, and recorded, more than once; a part of one counts as one."""
    store = Store(run / STORE_FILE)
    try:
        trained = sum(trial.images for trial in store.trials())
        ((once, epochs),) = store.rows("SELECT SUM(images), COUNT(*) FROM costs")
    finally:
        store.close()
    return math.ceil((trained - int(once)) * int(epochs) / int(once))


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The worker processes of a driver."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(process.pid).children(recursive=True) if _is_worker(child)]
    return []


def _is_worker(process: psutil.Process) -> bool:
    """True for a worker, spawned or forked, and not for the server that workers are forked from."""
    line = " ".join(process.cmdline())
    parent = process.parent()
    forked = "forkserver" in line and parent is not None and "forkserver" in " ".join(parent.cmdline())
    return "spawn_main" in line or forked


def kill_one_search(arena: Arena, rng: random.Random, tally: Tally, name: str, seed: int, kills: int) -> None:
    """Begin a search, kill it `kills` times at random moments, let it end, and compare."""
    reference = arena.undisturbed(seed)
    run = arena.run_path(name)
    tally.runs += 1
    process = arena.start(arena.search(name, seed))
    finished: dict[tuple[str, int], float] = {}
    while kills and process.poll() is None:
        if rng.random() >= SHARE_AT_START:
            _wait_for_training(process, run)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.0, MAX_DELAY_S))
            break
        workers = children(process)
        target = rng.choice(TARGETS)
        _strike(process, workers, target, tally)
        kills -= 1
        if target == "worker":
            continue
        _check_orphans(workers, tally)
        if not (run / STORE_FILE).exists():
            shutil.rmtree(run, ignore_errors=True)
            process = arena.start(arena.search(name, seed))
            continue
        finished = _check_store(run, finished, tally)
        tally.resumed += 1
        process = arena.start(arena.command("resume", name))
    if process.wait(WAIT_S * 5) != 0:
        log = (arena.folder / "driver.log").read_text("utf-8")
        raise RuntimeError(f"{name} did not come to its end: {log[-3000:]}")
    _check_store(run, finished, tally)
    tally.epochs_repeated += epochs_repeated(run)
    tally.different += not same(run, reference)


def _wait_for_training(process: subprocess.Popen[bytes], run: Path) -> None:
    """Until this driver has a worker that trains: it has begun to write its checkpoint, or a table."""
    started, until = time.time(), time.monotonic() + WAIT_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            if any(path.stat().st_mtime >= started for path in (run / "checkpoints").rglob("*.npz")):
                return
        time.sleep(0.02)


def _strike(
    process: subprocess.Popen[bytes], workers: list[psutil.Process], target: str, tally: Tally
) -> None:
    tally.kills[target] += 1
    if target in ("worker", "both"):
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
    if target in ("driver", "both"):
        process.kill()
    if target == "interrupt":
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(WAIT_S)
        took_s = time.monotonic() - start
        if took_s > INTERRUPT_S:
            tally.slow_interrupts += 1
            print(f"{took_s:.1f} s to stop, code {process.returncode}", file=sys.stderr)
        tally.slowest_interrupt_s = max(tally.slowest_interrupt_s, took_s)
    if target != "worker":
        process.wait(WAIT_S)


def _check_orphans(workers: list[psutil.Process], tally: Tally) -> None:
    _, alive = psutil.wait_procs(workers, timeout=20)
    tally.orphans += len(alive)


def _check_store(
    run: Path, before: dict[tuple[str, int], float], tally: Tally
) -> dict[tuple[str, int], float]:
    """Read all there is; what was finished must still be, with the score it had."""
    try:
        now = finished_rungs(run)
        for table in run.glob("*.csv"):
            pd.read_csv(table)
    except Exception as error:
        print(f"{run.name}: {error}", file=sys.stderr)
        tally.unreadable += 1
        return before
    tally.finished_lost += sum(now.get(rung) != score for rung, score in before.items())
    return now


def kill_searches(
    folder: Path, kills: int, seed: int = 0, kills_per_search: int = 20, trials: int = 15
) -> Tally:
    """Kill searches of so many trials until `kills` kills were dealt."""
    rng, tally = random.Random(seed), Tally()
    heed_interrupts()
    arena = Arena(folder, trials)
    while (left := kills - tally.kills.total()) > 0:
        number = tally.runs
        kill_one_search(arena, rng, tally, f"killed-{number}", number % 3, min(left, kills_per_search))
        print(f"{tally.table()}\n", file=sys.stderr, flush=True)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200, help="how many kills to deal")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = kill_searches(Path(folder), arguments.kills, arguments.seed)
    print(tally.table())
    return int(tally.faults > 0)


if __name__ == "__main__":
    sys.exit(main())
