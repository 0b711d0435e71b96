"""Oracles propose configurations; the plan says how long each may train."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from tuner.config import WITH_RUNGS, SearchConfig
from tuner.tuning.plan import Plan, asha_plan, flat_plan, hyperband_plan, on_parts_of_the_data, short_plan

if TYPE_CHECKING:
    import keras_tuner as kt

    from tuner.spaces.configurations import Values
    from tuner.tuning.equivalence import Training
    from tuner.tuning.oracles.planned import PlannedOracle

# The class of each sampler. Random search is all chance, which every Oracle has to fall back on.
ORACLES = {
    "random": "planned:PlannedOracle",
    "grid": "grid:GridSearchOracle",
    "single": "single:SingleOracle",
    "bayesian": "bayesian:BayesianOracle",
    "tpe": "tpe:TPEOracle",
}
# Up to this number of training images, loading, building and tracing take as long as a first rung.
SMALL_DATA = 10_000


def settle_fidelity(config: SearchConfig, images: int) -> SearchConfig:
    """Return the request with the fidelity that "auto" stands for with this number of training images.

    A plan on part of the data is for Hyperband with enough trials to choose among in a rung.
    """
    if config.fidelity != "auto" or config.algorithm not in WITH_RUNGS:
        return config
    short = config.algorithm == "hyperband" and config.max_trials >= config.factor and images <= SMALL_DATA
    return config.model_copy(update={"fidelity": "part" if short else "epochs"})


def make_plan(config: SearchConfig, size: int | None = None) -> Plan:
    """Return the plan that a request asks for, of no more trials than the space has configurations."""
    most = 1 if config.algorithm == "single" else config.max_trials
    trials = most if size is None else min(most, size)
    if config.algorithm not in WITH_RUNGS:
        return flat_plan(trials, config.max_epochs)
    if config.fidelity == "part":
        return short_plan(trials, config.max_epochs, config.factor)
    lay = asha_plan if config.algorithm == "asha" else hyperband_plan
    plan = lay(trials, config.max_epochs, config.factor)
    return on_parts_of_the_data(plan) if config.fidelity == "data" else plan


def make_oracle(
    config: SearchConfig,
    space: kt.HyperParameters,
    initial: Sequence[Values] = (),
    training: Training | None = None,
) -> PlannedOracle:
    """Return the Oracle that a request asks for: a plan and a sampler.

    Args:
        initial: Configurations to try first, in this order.
        training: Facts by which configurations that train alike count as one. Without them only those with
            equal values do.
    """
    from tuner.spaces.configurations import space_size
    from tuner.tuning.equivalence import trained_values

    sampler = config.sampler if config.algorithm in WITH_RUNGS else config.algorithm
    plan = make_plan(config, space_size(space))
    trained = dict if training is None else partial(trained_values, training=training, plan=plan)
    # Each import may bring a library that the others do not need.
    oracle_class: type[PlannedOracle] = resolve_name(f"tuner.tuning.oracles.{ORACLES[sampler]}")
    return oracle_class(config.objective, plan, space, config.seed, initial, trained)
