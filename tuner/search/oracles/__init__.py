"""Oracles propose configurations; the plan says how long each may train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.config import SearchConfig, split_objective
from tuner.search.plan import Plan, flat_plan, hyperband_plan
from tuner.training.trial import Objective

if TYPE_CHECKING:
    import keras_tuner as kt

    from tuner.search.oracles.planned import PlannedOracle


def make_plan(config: SearchConfig) -> Plan:
    """Return the plan that a request asks for."""
    if config.algorithm == "hyperband":
        return hyperband_plan(config.max_trials, config.max_epochs, config.factor)
    return flat_plan(config.max_trials, config.max_epochs)


def make_oracle(config: SearchConfig, space: kt.HyperParameters) -> PlannedOracle:
    """Return the Oracle that a request asks for. Hyperband samples at random, as in its paper."""
    from tuner.search.oracles.random import RandomSearchOracle

    return RandomSearchOracle(
        Objective(*split_objective(config.objective)), make_plan(config), space, config.seed
    )
