"""Driving an Oracle without training: a score in closed form stands in for the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import keras_tuner as kt

from tuner.config import WITH_RUNGS, SearchConfig, make_config
from tuner.training.seeds import derive_seed
from tuner.tuning.oracles import make_oracle
from tuner.tuning.oracles.planned import PlannedOracle
from tuner.tuning.oracles.rungs import Standing

# All that search; `single` is asked for one configuration.
ALGORITHMS = tuple(
    name for name in get_args(SearchConfig.model_fields["algorithm"].annotation) if name != "single"
)
SAMPLERS = get_args(SearchConfig.model_fields["sampler"].annotation)
# Every way to search: the algorithms, and those with rungs with each of the other samplers.
SEARCHES = (
    *ALGORITHMS,
    *(f"{name}/{sampler}" for name in WITH_RUNGS for sampler in SAMPLERS if sampler != "random"),
)
MODEL_BASED = tuple(name for name in SEARCHES if name.endswith(("bayesian", "tpe")))
# With nine epochs, enough for each bracket of Hyperband, and for each model to be asked.
TRIALS = 18
MAX_STEPS = 10_000
BEST_UNITS, BEST_SCORE = 320, 1.0


@dataclass(frozen=True)
class Step:
    """One rung of one trial, as the Oracle asked for it. `score` is None where it failed."""

    trial_id: str
    bracket: int
    rung: int
    initial_epoch: int
    epochs: int
    values: dict[str, Any]
    score: float | None


Score = Callable[[dict[str, Any]], float]
Fails = Callable[[str, int], bool]


def wide_space() -> kt.HyperParameters:
    """Far more configurations than any test tries, some of them continuous."""
    hp = kt.HyperParameters()
    hp.Int("units", 1, 1000)
    hp.Float("rate", 1e-4, 1e-1, sampling="log")
    hp.Choice("optimizer", ["adam", "sgd"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("momentum", 0.0, 0.75, step=0.25)
    return hp


def small_space() -> kt.HyperParameters:
    """18 configurations."""
    hp = kt.HyperParameters()
    hp.Int("units", 100, 600, step=100)
    hp.Choice("activation", ["relu", "tanh", "gelu"])
    return hp


def closeness(values: dict[str, Any]) -> float:
    """Best, 1.0, at 320 units; trials of equal units tie."""
    units: int = values["units"]
    return BEST_SCORE - abs(units - BEST_UNITS) / 1000


def never(trial_id: str, rung: int) -> bool:  # noqa: ARG001
    return False


def every_fourth(trial_id: str, rung: int) -> bool:
    return derive_seed("fails", trial_id, rung) % 4 == 0


def config_for(search: str, **request: Any) -> SearchConfig:
    algorithm, _, sampler = search.partition("/")
    chosen = {"algorithm": algorithm}
    if sampler or algorithm in WITH_RUNGS:
        chosen["sampler"] = sampler or "random"
    return make_config({**chosen, "max_trials": TRIALS, "max_epochs": 9, **request})


def oracle_for(
    search: str,
    space: kt.HyperParameters | None = None,
    initial: Sequence[dict[str, Any]] = (),
    **request: Any,
) -> PlannedOracle:
    return make_oracle(config_for(search, **request), space or wide_space(), initial)


def run_oracle(
    oracle: PlannedOracle, score: Score = closeness, fails: Fails = never, workers: int = 1
) -> list[Step]:
    """Ask and tell until the Oracle stops; of several workers, the one that began last ends first."""
    steps: list[Step] = []
    under_way: list[tuple[str, Any]] = []
    while len(steps) < MAX_STEPS:
        for worker in {f"worker-{n}" for n in range(workers)} - {name for name, _ in under_way}:
            trial = oracle.create_trial(worker)
            if trial.status != "RUNNING":
                break
            under_way.append((worker, trial))
        if not under_way:
            assert trial.status == "STOPPED", "the Oracle waits for trials, but none is under way"
            return steps
        _, trial = under_way.pop()
        steps.append(_train(trial, score, fails))
        oracle.end_trial(trial)
    raise AssertionError("the Oracle does not come to an end")


def _train(trial: Any, score: Score, fails: Fails) -> Step:
    planned = trial.hyperparameters.values
    values = {name: value for name, value in planned.items() if not name.startswith("tuner/")}
    failed = fails(trial.trial_id, planned["tuner/round"])
    trial.status, trial.score = ("FAILED", None) if failed else ("COMPLETED", score(values))
    return Step(
        trial_id=trial.trial_id,
        bracket=planned["tuner/bracket"],
        rung=planned["tuner/round"],
        initial_epoch=planned["tuner/initial_epoch"],
        epochs=planned["tuner/epochs"],
        values=values,
        score=trial.score,
    )


@cache
def searched(
    search: str, small: bool = False, fails: Fails = never, **request: Any
) -> tuple[PlannedOracle, list[Step]]:
    """A search by one worker that came to its end, in the small space or the wide one. Not to be changed."""
    oracle = oracle_for(search, small_space() if small else None, **request)
    return oracle, run_oracle(oracle, fails=fails)


def restore_cut(oracle: PlannedOracle, steps: list[Step], ended: int, begun: int) -> None:
    """Restore what a store holds after `ended` rungs were finished and `begun` were begun."""
    trials: dict[str, tuple[Step, Standing]] = {}
    scores: dict[str, list[float | None]] = {}
    for number, step in enumerate(steps[:begun]):
        status = "RUNNING" if number >= ended else "FAILED" if step.score is None else "COMPLETED"
        # A store has the best score of a running trial, epochs of the unfinished rung included.
        score = {"RUNNING": BEST_SCORE + 1, "COMPLETED": step.score}.get(status)
        earlier = tuple(scores.setdefault(step.trial_id, []))
        trials[step.trial_id] = (step, Standing(step.bracket, step.rung, status, score, earlier))
        scores[step.trial_id].append(score)
    for trial_id, (step, standing) in sorted(trials.items()):
        oracle.restore(trial_id, step.values, standing)
