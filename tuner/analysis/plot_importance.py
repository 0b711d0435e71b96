"""What hyperparameters did, as pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tuner.analysis.importance import SCORE, TARGETS, Hyperparameter, Importance
from tuner.files import replacing
from tuner.units import counted

CLEAR, UNCLEAR, DOTS = "#1f6fb4", "#b5b5b5", "#d9d9d9"
PANELS_ACROSS = 4


def write_importance_png(path: Path, found: Importance, title: str) -> None:
    """Draw the shares of variance with their intervals; what is not told from noise is grey."""
    shown = [each for each in found.hyperparameters if _judged(each)]
    figure = _figure(9.0, 1.3 + 0.32 * max(len(shown), 2))
    panels = figure.subplots(1, len(TARGETS), sharey=True)
    for axes, target in zip(panels, TARGETS, strict=True):
        for row, each in enumerate(shown):
            effect = each.effects[target]
            assert effect.share is not None
            share = effect.share
            colour = CLEAR if found.is_told(each, target) else UNCLEAR
            axes.barh(row, share.share, color=colour, height=0.6)
            axes.plot([share.low_95, share.high_95], [row, row], color="#333333", linewidth=1)
        names = [
            each.name + (f" ({counted(each.trials, 'trial')})" if each.conditional else "") for each in shown
        ]
        axes.set_yticks(range(len(shown)), names, fontsize=9)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.set_title(_title(found, target), fontsize=10)
        axes.set_xlabel("share of variance, 95 % of resamples", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        if not shown:
            axes.text(0.5, 0.5, "too few trials to tell", ha="center", transform=axes.transAxes)
    if shown:
        panels[0].invert_yaxis()
    _save(figure, path, f"{title}, grey: not told from noise", found)


def write_effects_png(path: Path, found: Importance, title: str) -> None:
    """Draw the mean of each value with its 95 % interval over the trials themselves, score and seconds.

    Panels of one target share their scale, so that what moves it stands out.
    """
    shown = found.hyperparameters
    across = min(PANELS_ACROSS, max(len(shown), 1))
    bands = math.ceil(len(shown) / across) or 1
    figure = _figure(2.9 * across, 4.2 * bands + 0.5)
    panels = figure.subplots(bands * len(TARGETS), across, squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for place, each in enumerate(shown):
        for row, target in enumerate(TARGETS):
            axes = panels[place // across * len(TARGETS) + row][place % across]
            axes.set_visible(True)
            _draw_means(axes, found, each, target)
            axes.set_ylabel(_title(found, target) if place % across == 0 else "", fontsize=8)
            if row == 0:
                axes.set_title(each.name, fontsize=10)
    _save(figure, path, f"{title}, mean and 95 % interval by value", found)


def _draw_means(axes: Any, found: Importance, each: Hyperparameter, target: str) -> None:
    """Dots are trials, side by side so that none hides another."""
    rng = np.random.default_rng(0)
    trials = [trial for trial in found.observations.trials if trial.trial_id in each.positions]
    places = np.array([each.positions[trial.trial_id] for trial in trials])
    values = [getattr(trial, target) for trial in trials]
    axes.scatter(places + rng.uniform(-0.18, 0.18, len(trials)), values, s=7, color=DOTS, zorder=1)
    colour = CLEAR if found.is_told(each, target) else "#555555"
    for position, level in enumerate(each.levels):
        mean = level.means.get(target)
        if mean is None:
            continue
        if mean.low_95 is not None:
            axes.plot([position] * 2, [mean.low_95, mean.high_95], color=colour, linewidth=1.5, zorder=2)
        axes.plot(position, mean.mean, marker="o", markersize=5, color=colour, zorder=3)
    labels = [level.label for level in each.levels]
    slanted = sum(map(len, labels)) > 22
    axes.set_xticks(range(len(labels)), labels, fontsize=8, rotation=30 if slanted else 0)
    axes.set_xlim(-0.5, len(labels) - 0.5)
    every = [getattr(trial, target) for trial in found.observations.trials]
    margin = 0.06 * (max(every) - min(every)) or 0.01
    # By the trials: a wide interval of two of them must not flatten the rest.
    axes.set_ylim(min(every) - margin, max(every) + margin)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _judged(each: Hyperparameter) -> bool:
    return all(each.effects[target].share is not None for target in TARGETS)


def _title(found: Importance, target: str) -> str:
    return found.observations.objective if target == SCORE else "seconds per epoch"


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _save(figure: Any, path: Path, title: str, found: Importance) -> None:
    observed = found.observations
    compared = f"{counted(len(observed.trials), 'trial')} in {counted(observed.epochs, 'epoch')}"
    figure.suptitle(f"{title}; {compared}", fontsize=9, color="#333333")
    with replacing(path) as draft:
        figure.savefig(draft, format="png")
