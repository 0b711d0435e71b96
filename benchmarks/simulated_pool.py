"""Workers that train nothing, on a virtual clock: epochs as long as recorded ones, scores that learn."""

from __future__ import annotations

import csv
import math
import random
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from tuner.results.schema import TRAINING
from tuner.training.checkpoint import BEST_FILE, STATE_FILE, Epoch
from tuner.training.compute import DEFAULT_COMPUTE
from tuner.training.task import EpochDone, RungDone, TrainTask
from tuner.workers.protocol import Event, Lost, Ready, Request

# Times of real epochs vary by about this much around those of their trial.
SPREAD = 0.05
NOISE = 0.01
"""Standard deviation of a score around its learning curve."""
FACTS = {"compute": asdict(DEFAULT_COMPUTE), TRAINING: []}
"""Of a run, those that a search reads."""


def epoch_seconds(trials_csv: Path) -> list[float]:
    """Return the mean seconds of an epoch of each trial of a finished run.

    Raises:
        SystemExit: the table has no trial with an epoch.
    """
    with trials_csv.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["epochs"] or 0)]
    if not rows:
        raise SystemExit(f"error: '{trials_csv}' has no trial with an epoch. Name another run with --times.")
    return [float(row["duration_s"]) / int(row["epochs"]) for row in rows]


def space() -> Any:
    """As many hyperparameters as a space of small images has, some of them continuous: no end of values."""
    import keras_tuner as kt

    hp = kt.HyperParameters()
    hp.Int("width", 8, 64, step=8)
    hp.Int("blocks", 1, 4)
    hp.Choice("normalization", ["batch", "layer", "none"])
    hp.Choice("activation", ["relu", "gelu", "tanh"])
    hp.Float("dropout", 0.0, 0.5)
    hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    hp.Float("weight_decay", 1e-6, 1e-2, sampling="log")
    hp.Choice("optimizer", ["adamw", "sgd"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("momentum", 0.0, 0.95)
    hp.Choice("batch_size", [32, 64, 128])
    return hp


def accuracy(values: dict[str, Any], epoch: int) -> float:
    """Return the value of the learning curve of a configuration after an epoch, in 0.5..1.

    Wide nets with a learning rate near 0.005 end best, and learn more slowly at first.
    """
    miss = abs(math.log10(values["learning_rate"] / 0.005)) / 2 + abs(values["dropout"] - 0.1) / 2
    end = 0.98 - 0.2 * min(1.0, miss) - 0.1 * (1 - values["width"] / 64) - 0.01 * (4 - values["blocks"])
    return float(0.5 + (end - 0.5) * (1 - math.exp(-epoch / (1 + values["width"] / 32))))


@dataclass
class _UnderWay:
    task: TrainTask
    epoch_s: float
    done: int  # epochs


class SimulatedPool:
    """A `Pool` of workers whose events come in the order of a virtual clock.

    Args:
        epochs_s: Seconds of an epoch of real trials, of which each trial gets one at random.
        lost: Probability that a worker is ended from outside in an epoch.
    """

    looks_ahead = False

    def __init__(self, workers: int, epochs_s: list[float], lost: float = 0.0, seed: int = 0) -> None:
        self._epochs_s, self._lost = epochs_s, lost
        self._rng = random.Random(seed)
        self._idle = list(range(workers))
        self._under_way: dict[int, _UnderWay] = {}
        self._coming: list[tuple[float, int]] = []  # when, and of which worker
        self._workers = workers
        self._idle_s = 0.0
        self.now_s = 0.0
        self.num_lost = 0

    @property
    def busy(self) -> float:
        """Share of the workers' time, up to now, in which they had something to do."""
        return 1 - self._idle_s / (self._workers * self.now_s) if self.now_s else 1.0

    def idle(self) -> list[int]:
        return list(self._idle)

    def place(self, number: int) -> str:
        return f"simulated {number}"

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:  # noqa: ARG002
        assert isinstance(request, TrainTask)
        self._idle.remove(number)
        # The same trial takes the same time in each of its rungs, and scores the same in each search.
        epoch_s = random.Random(request.seed).choice(self._epochs_s)
        self._under_way[number] = _UnderWay(request, epoch_s, request.epochs_reported)
        self._next_epoch(number)

    def look_ahead(self, number: int, task: TrainTask) -> None:
        raise NotImplementedError

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:  # noqa: ARG002
        before_s = self.now_s
        self.now_s, number = heappop(self._coming)
        self._idle_s += len(self._idle) * (self.now_s - before_s)
        trial = self._under_way[number]
        task = trial.task
        if trial.done >= task.epochs:
            self._end(number)
            return number, RungDone(task.trial_id, task.rung, task.epochs, False, False, 100_000, 0.0)
        if self._lost and self._rng.random() < self._lost:
            self.num_lost += 1
            self._end(number)
            return number, Lost(task.trial_id, "the simulated worker was ended")
        trial.done += 1
        event = EpochDone(task.trial_id, task.rung, trial.done, self._epoch(trial))
        task.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        for name in (BEST_FILE, STATE_FILE):
            (task.checkpoint_dir / name).touch()
        if trial.done == task.epochs:
            heappush(self._coming, (self.now_s, number))
        else:
            self._next_epoch(number)
        return number, event

    def ask(self, request: Request, limit_s: float | None = None) -> Event:
        raise NotImplementedError

    def device(self) -> Ready:
        raise NotImplementedError

    def _next_epoch(self, number: int) -> None:
        trial = self._under_way[number]
        duration_s = trial.epoch_s * self._rng.uniform(1 - SPREAD, 1 + SPREAD)
        heappush(self._coming, (self.now_s + duration_s, number))

    def _end(self, number: int) -> None:
        del self._under_way[number]
        self._idle.append(number)

    def _epoch(self, trial: _UnderWay) -> Epoch:
        noise = random.Random(trial.task.seed * 1_000 + trial.done).gauss(0.0, NOISE)
        value = min(1.0, accuracy(trial.task.values, trial.done) + noise)
        metrics = {
            "accuracy": value + 0.01,
            "auc": (1 + value) / 2,
            "loss": 1.0 - value,
            "val_accuracy": value,
            "val_auc": (1 + value) / 2,
            "val_loss": 1.1 - value,
        }
        return Epoch(metrics, trial.epoch_s, 0.9 * trial.epoch_s, 16_000)
