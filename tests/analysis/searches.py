"""Finished searches whose scores and times follow a rule, made without training."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.results.records import FACTS, epoch, record
from tuner.config import make_config
from tuner.results.query import RunView, open_run
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone

Values = dict[str, Any]
Rule = Callable[[Values], float]


def draw(number: int, rng: random.Random, noise: int = 2) -> Values:  # noqa: ARG001
    """`rate` and `width` may matter; hyperparameters called noise_i do not."""
    return {
        "rate": rng.choice([0.1, 0.01, 0.001]),
        "width": rng.choice([16, 32, 64]),
        **{f"noise_{i}": rng.choice(["a", "b", "c"]) for i in range(noise)},
    }


def request(**fields: Any) -> dict[str, Any]:
    """The fact of a run that holds its request."""
    return make_config(fields).model_dump(mode="json")


RANDOM = {**FACTS, "objective": "val_accuracy", "config": request(algorithm="random")}


def search(
    path: Path,
    trials: int,
    score: Rule,
    seconds: Rule = lambda _: 1.0,
    values: Callable[[int, random.Random], Values] = draw,
    fails: Callable[[Values], bool] = lambda _: False,
    **facts: Any,
) -> RunView:
    """A search of one epoch a trial; its scores have noise of a hundredth."""
    rng = random.Random(0)
    path.mkdir(parents=True)
    store = Store.create(path / STORE_FILE, {**RANDOM, "status": "completed", **facts})
    for number in range(1, trials + 1):
        trial_id, chosen = f"{number:04d}", values(number, rng)
        store.start_rung(record(trial_id, values=chosen))
        if fails(chosen):
            store.fail(trial_id, 0, "oom: too large")
            continue
        value, took = score(chosen) + rng.gauss(0, 0.01), seconds(chosen) * rng.uniform(0.95, 1.05)
        trained = Epoch({"val_accuracy": value}, took, took, 50)
        store.record_epoch(EpochDone(trial_id, 0, 1, trained), value, {"spent_s": float(number)})
        store.finish_rung(trial_id, 0, "COMPLETED", 10, 0.0)
    store.close()
    return open_run(path)


def unfinished_run(path: Path, stopped: bool, **facts: Any) -> RunView:
    """A search whose only trial is in its first rung, or was stopped in it, with an epoch on record."""
    path.mkdir(parents=True)
    store = Store.create(path / STORE_FILE, {**RANDOM, **facts, "run_id": path.name, "status": "running"})
    store.start_rung(record("0001"))
    epoch(store, "0001", 0, 1, {"val_accuracy": 0.5}, 0.5)
    if stopped:
        store.stop("0001")
    store.close()
    return open_run(path)


def by_rate(values: Values) -> float:
    """The rate alone moves the score."""
    return {0.1: 0.5, 0.01: 0.7, 0.001: 0.9}[values["rate"]]


def by_width(values: Values) -> float:
    """The width alone moves the time."""
    return float(values["width"])
