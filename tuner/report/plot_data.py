"""The numbers behind the plots of a report. The page and the PNG files draw the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuner.analysis.value_bins import is_number, ordered, value_text
from tuner.evaluation.predictions import Predictions
from tuner.results.query import RunView
from tuner.results.schema import FAILED
from tuner.results.timeline import timed_epochs

if TYPE_CHECKING:
    import pandas as pd

# Of so many different numbers, each has a place of its own on its axis; more lie on a scale.
MAX_PLACES = 8
# Numbers over more than this ratio are drawn on a logarithmic scale, where the space does not say how.
LOG_RATIO = 1000.0
ROC_POINTS = 150


@dataclass(frozen=True)
class TrialPoint:
    """A trial as the plots know it; `rank` counts from 1 and is None without a score."""

    trial_id: str
    rank: int | None
    score: float | None
    status: str
    rung: int
    epochs: int
    seconds: float
    num_params: int | None


@dataclass(frozen=True)
class Axis:
    """A hyperparameter that differs between trials.

    `values` has a number for each trial, None where the hyperparameter is not active; on a scale of places it
    is the position in `labels`.
    """

    name: str
    scale: Literal["places", "linear", "log"]
    labels: tuple[str, ...]
    low: float
    high: float
    values: tuple[float | None, ...]
    numeric: bool


@dataclass(frozen=True)
class Curve:
    """The objective of one trial after each epoch from the first on; `promoted` are the ends of its rungs.

    The last rung has no end. `trial` is a position among the trials.
    """

    trial: int
    values: tuple[float | None, ...]
    promoted: tuple[int, ...]


@dataclass(frozen=True)
class Progress:
    """The best score so far: after each trial, and over the seconds of the run."""

    by_trial: tuple[float | None, ...]
    by_time: tuple[tuple[float, float, int], ...]
    """Seconds, the best score from then on, and the position of its trial."""


@dataclass(frozen=True)
class Roc:
    """Of one class against all others; `marks` are thresholds as (text, false, true positive rate)."""

    name: str
    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    auroc: float
    marks: tuple[tuple[str, float, float], ...]


@dataclass(frozen=True)
class SearchPlots:
    """The plots about trials."""

    objective: str
    direction: str
    trials: tuple[TrialPoint, ...]
    axes: tuple[Axis, ...]
    curves: tuple[Curve, ...]
    progress: Progress


def search_plots(run: RunView) -> SearchPlots:
    """Read the numbers for the plots of trials.

    Raises:
        StorageError: the store of the run is missing or damaged.
    """
    objective, direction = run.facts["objective"], run.facts["direction"]
    ranks = {trial.trial_id: rank for rank, trial in enumerate(run.ranked, start=1)}
    trials = tuple(
        TrialPoint(
            trial.trial_id,
            ranks.get(trial.trial_id),
            trial.score if trial.trial_id in ranks else None,
            trial.status,
            trial.rung,
            trial.epochs,
            trial.duration_s,
            trial.num_params,
        )
        for trial in run.trials
    )
    epochs = timed_epochs(run.path, objective)
    return SearchPlots(
        objective, direction, trials, _axes(run), _curves(run, epochs), _progress(run, trials, epochs)
    )


def _axes(run: RunView) -> tuple[Axis, ...]:
    names = dict.fromkeys(name for trial in run.trials for name in trial.values)
    declared = run.facts["hyperparameters"]["space"]
    sampling = {each["config"].get("name"): each["config"].get("sampling") for each in declared}
    columns = {name: [trial.values.get(name) for trial in run.trials] for name in names}
    return tuple(
        _axis(name, column, sampling.get(name))
        for name, column in columns.items()
        if len({value for value in column if value is not None}) > 1
    )


def _axis(name: str, column: Sequence[Any], sampling: str | None) -> Axis:
    present = [value for value in column if value is not None]
    distinct = ordered(present)
    numeric = all(map(is_number, distinct))
    if len(distinct) <= MAX_PLACES or not numeric:
        place = {value: float(i) for i, value in enumerate(distinct)}
        values = tuple(None if value is None else place[value] for value in column)
        return Axis(
            name, "places", tuple(map(value_text, distinct)), 0.0, float(len(distinct) - 1), values, numeric
        )
    low, high = float(min(present)), float(max(present))
    wide = low > 0 and high / low >= LOG_RATIO
    on_log = low > 0 and (wide if sampling is None else "log" in sampling)
    numbers = tuple(None if value is None else float(value) for value in column)
    return Axis(name, "log" if on_log else "linear", (), low, high, numbers, True)


def _curves(run: RunView, epochs: pd.DataFrame) -> tuple[Curve, ...]:
    of_trial = dict(list(epochs.groupby("trial_id")))
    curves = []
    for position, trial in enumerate(run.trials):
        if trial.trial_id in of_trial:
            own = of_trial[trial.trial_id]
            values: dict[int, float] = dict(zip(own["epoch"], own["value"], strict=True))
            ends = own.groupby("rung")["epoch"].max().tolist()
            every = tuple(values.get(number) for number in range(1, max(values) + 1))
            curves.append(Curve(position, every, tuple(ends[:-1])))
    return tuple(curves)


def _progress(run: RunView, trials: Sequence[TrialPoint], epochs: pd.DataFrame) -> Progress:
    better = max if run.facts["direction"] == "max" else min

    def best(first: float | None, second: float | None) -> float | None:
        return better((score for score in (first, second) if score is not None), default=None)

    positions = {trial.trial_id: i for i, trial in enumerate(run.trials)}
    failed = [trial.trial_id for trial in run.trials if trial.status == FAILED]
    alive = epochs[~epochs["trial_id"].isin(failed)]
    timed = sorted(
        zip(alive["spent_s"].tolist(), alive["value"].tolist(), alive["trial_id"].map(positions), strict=True)
    )
    steps: list[tuple[float, float, int]] = []
    for seconds, value, position in timed:
        if not steps or better(value, steps[-1][1]) != steps[-1][1]:
            steps.append((seconds, value, position))
    if steps:
        steps.append((timed[-1][0], *steps[-1][1:]))
    return Progress(tuple(accumulate((trial.score for trial in trials), best)), tuple(steps))


def roc_curves(predictions: Predictions, evaluation: dict[str, Any]) -> tuple[Roc, ...]:
    """Return the ROC curve of the positive class or, without one, those of all classes that have images.

    Args:
        evaluation: What `tuner.statistics.metrics.evaluate` says of these predictions.
    """
    names = predictions.class_names
    positive = evaluation.get("positive_class")
    curves = []
    for name in [positive] if positive is not None else names:
        column = names.index(name)
        positives = predictions.labels == column
        if positives.all() or not positives.any():
            continue
        fpr, tpr = _roc_points(positives, predictions.probabilities[:, column])
        figures = evaluation if positive is not None else evaluation["one_vs_rest"][name]
        marks = _marks(evaluation, column) if positive is not None and len(names) == 2 else ()
        curves.append(Roc(name, fpr, tpr, figures["auroc"], marks))
    return tuple(curves)


def _roc_points(positives: np.ndarray, scores: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Points enough for a linear axis of false positive rates and for a logarithmic one."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(positives, scores)
    least = 1 / max(int((~positives).sum()), 1)
    grid = np.concatenate([np.linspace(0, 1, ROC_POINTS), np.geomspace(least, 1, ROC_POINTS)])
    last = np.searchsorted(fpr, grid, side="right") - 1
    # The curve rises where a rate ends: both ends of each step are needed.
    keep = np.unique(np.concatenate([[0], last, np.minimum(last + 1, len(fpr) - 1)]))
    return tuple(fpr[keep].tolist()), tuple(tpr[keep].tolist())


def _marks(evaluation: dict[str, Any], positive: int) -> tuple[tuple[str, float, float], ...]:
    found = [("threshold 0.5", evaluation["confusion_matrix"])]
    if chosen := evaluation.get("at_threshold"):
        text = f"threshold {chosen['threshold']:.3g}, chosen on validation images"
        found.append((text, chosen["confusion_matrix"]))
    marks = []
    for text, matrix in found:
        negative = 1 - positive
        true_rate = matrix[positive][positive] / max(sum(matrix[positive]), 1)
        false_rate = matrix[negative][positive] / max(sum(matrix[negative]), 1)
        marks.append((text, false_rate, true_rate))
    return tuple(marks)


def rounded(value: Any, digits: int = 6) -> Any:
    """Return plain values, floats at so many significant digits; those that are not finite become None."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(each, digits) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each, digits) for each in value]
    return value
