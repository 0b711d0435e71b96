"""The importance of hyperparameters as plain values, and as a table with a row for each value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.analysis.importance import TARGETS, Effect, Importance, Level
from tuner.results.query import RunView

if TYPE_CHECKING:
    import pandas as pd

_EFFECT_COLUMNS = ("share", "share_low_95", "share_high_95", "p_value")
_MEAN_COLUMNS = ("mean", "mean_low_95", "mean_high_95")
COLUMNS = (
    "hyperparameter",
    "active_trials",
    "value",
    "trials",
    "failed",
    *(f"{target}_{column}" for target in TARGETS for column in (*_EFFECT_COLUMNS, *_MEAN_COLUMNS)),
)


def importance_table(run: RunView, found: Importance) -> pd.DataFrame:
    """Return one row for each value of a hyperparameter, with the figures of that hyperparameter: COLUMNS."""
    import pandas as pd

    effects = [[target, name] for target in TARGETS for name in _EFFECT_COLUMNS]
    of_hyperparameter: list[str | list[str]] = ["name", "active_trials", *effects]
    values = importance_document(run, found)["hyperparameters"]
    frame = pd.json_normalize(values, "values", of_hyperparameter, sep="_")
    return frame.rename(columns={"name": "hyperparameter"}).reindex(columns=COLUMNS)


def importance_document(run: RunView, found: Importance) -> dict[str, Any]:
    """Return the importance of a run as plain values, as JSON holds them."""
    observed = found.observations
    return {
        "run_id": run.run_id,
        "objective": observed.objective,
        "direction": observed.direction,
        "epochs": observed.epochs,
        "trials": len(observed.trials),
        "left_out": observed.left_out,
        "too_few": found.too_few,
        "unseen_r2": found.unseen_r2,
        "hyperparameters": [
            {
                "name": each.name,
                "active_trials": each.trials,
                "conditional": each.conditional,
                **{target: _figures(effect) for target, effect in each.effects.items()},
                "values": [
                    {
                        "value": level.label,
                        "trials": level.trials,
                        "failed": level.failed,
                        **{target: _means(level, target) for target in TARGETS},
                    }
                    for level in each.levels
                ],
            }
            for each in found.hyperparameters
        ],
        "constant": found.constant,
        "failing": list(found.failing),
        "notes": list(found.caveats),
    }


def _figures(effect: Effect) -> dict[str, float | None]:
    share = effect.share
    values = (share.share, share.low_95, share.high_95) if share else (None, None, None)
    return dict(zip(_EFFECT_COLUMNS, (*values, effect.p_value), strict=True))


def _means(level: Level, target: str) -> dict[str, float | None]:
    mean = level.means.get(target)
    values = (mean.mean, mean.low_95, mean.high_95) if mean else (None, None, None)
    return dict(zip(_MEAN_COLUMNS, values, strict=True))
