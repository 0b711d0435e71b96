"""From a configuration of a search to the request that trains it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.config import SearchConfig, make_config

# What of a request says which configurations are tried, or how a single run went.
_OF_A_SEARCH = (
    *("algorithm", "sampler", "factor", "fidelity", "include", "warm_start", "weights", "workers"),
    *("max_trials", "max_failures", "max_epochs_total", "max_time", "trial_timeout", "name"),
)


# What makes any request that of one configuration, which fails where it fails.
SINGLE = {"algorithm": "single", "max_trials": 1, "max_failures": 1}


def assigned(values: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters by name as `--hp` takes them."""
    return [f"{name}={value}" for name, value in values.items()]


def single_request(config: Mapping[str, Any], values: Mapping[str, Any]) -> SearchConfig:
    """Return the request to train one configuration of a search, and no other, as the search was asked to.

    Args:
        config: The request of the search.
        values: Hyperparameters by name.
    """
    kept = {name: value for name, value in config.items() if name not in _OF_A_SEARCH}
    return make_config({**kept, **SINGLE, "hp": assigned(values)})
