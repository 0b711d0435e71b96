"""What the driver itself costs for each trial: the real search, Oracle and store around stub trials.

    python -m benchmarks.driver --trials 10000 --algorithm random

Beside it as many trials, but no more than `--peers`, by Keras Tuner's own search and by Optuna on SQLite.
Prints a table, and JSON to stdout or to --json FILE.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.output import output_file, put_out, table
from benchmarks.simulated_pool import FACTS
from tuner.config import SearchConfig, make_config
from tuner.results.run_folder import run_folder
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.device import quiet_import
from tuner.training.task import EpochDone, RungDone, TrainTask
from tuner.workers.protocol import Event, Ready, Request


class StubPool:
    """One worker whose trials take no time; their score follows from their values."""

    looks_ahead = False

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def place(self, number: int) -> str:  # noqa: ARG002
        return ""

    def device(self) -> Ready:
        raise NotImplementedError

    def idle(self) -> list[int]:
        return [] if self._events else [0]

    def look_ahead(self, number: int, task: TrainTask) -> None:
        raise NotImplementedError

    def submit(self, number: int, request: Request, limit_s: float | None = None) -> None:  # noqa: ARG002
        assert isinstance(request, TrainTask)
        for epoch in range(request.epochs_reported + 1, request.epochs + 1):
            metrics = {"val_accuracy": score(request.values) * (1 - 0.5**epoch), "val_loss": 0.5**epoch}
            self._events.append(
                EpochDone(request.trial_id, request.rung, epoch, Epoch(metrics, 1.0, 0.8, 16_000))
            )
        self._events.append(
            RungDone(request.trial_id, request.rung, request.epochs, False, False, 1, overhead_s=0.1)
        )

    def next_event(self, timeout: float | None = None) -> tuple[int, Event] | None:  # noqa: ARG002
        return 0, self._events.popleft()

    def ask(self, request: Request, limit_s: float | None = None) -> Event:
        raise NotImplementedError


def score(values: dict[str, Any]) -> float:
    """Between 0 and 1, best in the middle of both ranges."""
    return float(1 - abs(values["rate"] - 0.5) - abs(values["units"] - 500) / 2000)


def space() -> Any:
    """Two hyperparameters, one of them continuous: no end of configurations."""
    import keras_tuner as kt

    hp = kt.HyperParameters()
    hp.Int("units", 1, 1000)
    hp.Float("rate", 0.0, 1.0)
    return hp


def tuner_laps(config: SearchConfig, folder: Path) -> Iterator[float]:
    """Search; yield the time each time a trial is begun, and at the end."""
    from tuner.tuning.driver import Search
    from tuner.tuning.events import TrialStarted
    from tuner.tuning.oracles import make_oracle

    begun: list[float] = []

    def listen(event: object) -> None:
        if isinstance(event, TrialStarted) and not event.initial_epoch:
            begun.append(time.perf_counter())

    store = Store.create(folder / "run.sqlite", FACTS)
    Search(config, run_folder(folder, config), store, make_oracle(config, space()), StubPool(), listen).run()
    store.close()
    yield from begun
    yield time.perf_counter()


def keras_tuner_laps(trials: int, folder: Path) -> Iterator[float]:
    """The same with Keras Tuner's own loop, which saves its state after each trial."""
    import keras_tuner as kt

    begun: list[float] = []

    class Stub(kt.Tuner):  # type: ignore[misc]
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            begun.append(time.perf_counter())
            return {"val_accuracy": score(trial.hyperparameters.values)}

        def load_model(self, trial: Any) -> None:
            raise NotImplementedError

    oracle = kt.oracles.RandomSearchOracle(
        kt.Objective("val_accuracy", "max"), trials, seed=1, hyperparameters=space(), allow_new_entries=False
    )
    Stub(oracle, lambda _: None, directory=str(folder), project_name="stub").search(verbose=0)
    yield from begun
    yield time.perf_counter()


def optuna_laps(trials: int, folder: Path) -> Iterator[float]:
    """The same with Optuna's random sampler and its SQLite storage."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    begun: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        begun.append(time.perf_counter())
        values = {"units": trial.suggest_int("units", 1, 1000), "rate": trial.suggest_float("rate", 0, 1)}
        return score(values)

    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'study.db'}", sampler=optuna.samplers.RandomSampler(1)
    )
    study.optimize(objective, n_trials=trials)
    yield from begun
    yield time.perf_counter()


def cost_ms(laps: list[float]) -> dict[str, float]:
    """Milliseconds a trial: over all, and over the first and the last tenth."""
    tenth = max(1, (len(laps) - 1) // 10)
    return {
        "all": 1000 * (laps[-1] - laps[0]) / (len(laps) - 1),
        "first tenth": 1000 * (laps[tenth] - laps[0]) / tenth,
        "last tenth": 1000 * (laps[-1] - laps[-1 - tenth]) / tenth,
    }


@contextmanager
def empty_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--algorithm", default="random")
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--peers", type=int, default=1000, help="most trials for the peers")
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    with quiet_import():
        import keras_tuner  # noqa: F401
    request: dict[str, Any] = {
        "algorithm": arguments.algorithm,
        "max_trials": arguments.trials,
        "max_epochs": 1 if arguments.algorithm == "random" else 9,
    }
    if arguments.algorithm == "hyperband":
        request["sampler"] = arguments.sampler
    config = make_config(request)
    peers = min(arguments.trials, arguments.peers)
    sides: dict[str, tuple[int, Callable[[Path], Iterator[float]]]] = {
        "tuner": (arguments.trials, lambda folder: tuner_laps(config, folder)),
        "keras_tuner": (peers, lambda folder: keras_tuner_laps(peers, folder)),
        "optuna_sqlite": (peers, lambda folder: optuna_laps(peers, folder)),
    }
    costs = {}
    for name, (_, run) in sides.items():
        with empty_folder() as folder:
            costs[name] = cost_ms(list(run(folder)))
    rows = [["milliseconds a trial", *costs["tuner"], "trials"]]
    rows += [[name, *cost.values(), sides[name][0]] for name, cost in costs.items()]  # type: ignore[list-item]
    put_out(
        {"request": vars(arguments) | {"json": None}, "ms_per_trial": costs, "machine": describe_machine()},
        arguments.json,
    )
    print(table(rows), file=sys.stderr)


if __name__ == "__main__":
    main()
