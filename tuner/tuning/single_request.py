"""From a configuration of a search to the request that trains it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.config import SearchConfig, make_config

# Fields that choose among configurations, or limit what several trials may cost.
OF_SEVERAL_TRIALS = (
    *("algorithm", "sampler", "factor", "fidelity", "include", "warm_start", "workers"),
    *("max_trials", "max_failures", "max_epochs_total", "trial_timeout"),
)
# Fields of the search alone: its winner has its weights among its values, and the run its time and name.
_OF_THE_SEARCH = ("weights", "max_time", "name")
# What makes any request that of one configuration, which fails where it fails.
SINGLE = {"algorithm": "single", "max_trials": 1, "max_failures": 1}


def assigned(values: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters by name as `--hp` takes them."""
    return [f"{name}={value}" for name, value in values.items()]


def single_request(config: SearchConfig, values: Mapping[str, Any]) -> SearchConfig:
    """Return the request to train one configuration of a search, and no other, as the search was asked to.

    Args:
        config: The request of the search.
        values: Hyperparameters by name.
    """
    kept = config.model_dump(exclude={*OF_SEVERAL_TRIALS, *_OF_THE_SEARCH})
    return make_config({**kept, **SINGLE, "hp": assigned(values)})
