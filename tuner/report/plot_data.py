"""The numbers behind the plots of a report. The page and the PNG files draw the same."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuner.analysis.value_bins import is_number, ordered, value_text
from tuner.evaluation.predictions import Predictions
from tuner.results.query import RunView
from tuner.results.schema import FAILED, TrialRecord
from tuner.results.timeline import timed_epochs

if TYPE_CHECKING:
    import pandas as pd

# Of so many different numbers, each has a place of its own on its axis; more lie on a scale.
MAX_PLACES = 8
# Numbers over more than this ratio are drawn on a logarithmic scale, where the space does not say how.
LOG_RATIO = 1000.0
ROC_POINTS = 150
# A browser draws the plots of so many trials, and lays out their table, in less than a second.
MAX_SHOWN = 500
SEED = 0


@dataclass(frozen=True)
class TrialPoint:
    """A trial as the plots know it; `rank` counts from 1 and is None without a score.

    `number` is its place among all trials of the run, from 1.
    """

    trial_id: str
    number: int
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

    `values` has a number for each trial that is shown, None where the hyperparameter is not active; on a
    scale of places it is the position in `labels`. `medians` has there the median score of all trials of each
    place, None of fewer than two.
    """

    name: str
    scale: Literal["places", "linear", "log"]
    labels: tuple[str, ...]
    low: float
    high: float
    values: tuple[float | None, ...]
    numeric: bool
    medians: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Curve:
    """The objective of one trial after each epoch from the first on; `promoted` are the ends of its rungs.

    The last rung has no end. `trial` is a position among the trials that are shown.
    """

    trial: int
    values: tuple[float | None, ...]
    promoted: tuple[int, ...]


@dataclass(frozen=True)
class Progress:
    """The best score so far of all trials: by their number, and over the seconds of the run.

    Each step has the best score from there on; the last step ends the line.
    """

    by_trial: tuple[tuple[int, float], ...]
    by_time: tuple[tuple[float, float, int | None], ...]
    """With the position of its trial, None where that is not shown."""


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
    """The plots about trials: of all, or of MAX_SHOWN; `scored` counts those of all with a score."""

    objective: str
    direction: str
    scored: int
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
    ranked = run.ranked
    ranks = {trial.trial_id: rank for rank, trial in enumerate(ranked, start=1)}
    epochs = timed_epochs(run.path, objective)
    steps = _steps(run, epochs)
    numbers = _shown(run, ranked, [trial_id for _, _, trial_id in steps])
    trials = tuple(
        TrialPoint(
            trial.trial_id,
            number,
            ranks.get(trial.trial_id),
            trial.score if trial.trial_id in ranks else None,
            trial.status,
            trial.rung,
            trial.epochs,
            trial.duration_s,
            trial.num_params,
        )
        for number in numbers
        if (trial := run.trials[number - 1])
    )
    positions = {trial.trial_id: i for i, trial in enumerate(trials)}
    by_time = tuple((seconds, score, positions.get(trial_id)) for seconds, score, trial_id in steps)
    return SearchPlots(
        objective,
        direction,
        len(ranked),
        trials,
        _axes(run, trials),
        _curves(positions, epochs),
        Progress(_steps_by_trial(run, ranks), by_time),
    )


def _shown(run: RunView, ranked: Sequence[TrialRecord], leaders: Sequence[str]) -> list[int]:
    """The numbers of the trials to show, in their order: of many the best half, and others at random.

    Among the others are the last that were the best so far, and always the one that was tested.
    """
    every = range(1, len(run.trials) + 1)
    if len(every) <= MAX_SHOWN:
        return list(every)
    numbers = {trial.trial_id: number for number, trial in zip(every, run.trials, strict=True)}
    best = [trial.trial_id for trial in ranked[: MAX_SHOWN // 2]]
    tested = [run.evaluated_trial.trial_id] if run.evaluated_trial else []
    first = [numbers[trial_id] for trial_id in (*tested, *best, *leaders[-MAX_SHOWN // 4 :])]
    others = random.Random(SEED).sample(every, len(every))
    return sorted(list(dict.fromkeys([*first, *others]))[:MAX_SHOWN])


def _axes(run: RunView, trials: Sequence[TrialPoint]) -> tuple[Axis, ...]:
    names = dict.fromkeys(name for trial in run.trials for name in trial.values)
    declared = run.facts["hyperparameters"]["space"]
    sampling = {each["config"].get("name"): each["config"].get("sampling") for each in declared}
    columns = {name: [trial.values.get(name) for trial in run.trials] for name in names}
    scores = [None if trial.status == FAILED else trial.score for trial in run.trials]
    return tuple(
        replace(axis, values=tuple(axis.values[trial.number - 1] for trial in trials))
        for name, column in columns.items()
        if len({value for value in column if value is not None}) > 1
        and (axis := _axis(name, column, sampling.get(name), scores))
    )


def _axis(name: str, column: Sequence[Any], sampling: str | None, scores: Sequence[float | None]) -> Axis:
    present = [value for value in column if value is not None]
    distinct = ordered(present)
    numeric = all(map(is_number, distinct))
    if len(distinct) <= MAX_PLACES or not numeric:
        place = {value: float(i) for i, value in enumerate(distinct)}
        values = tuple(None if value is None else place[value] for value in column)
        labels, medians = tuple(map(value_text, distinct)), _medians(len(distinct), values, scores)
        return Axis(name, "places", labels, 0.0, float(len(distinct) - 1), values, numeric, medians)
    low, high = float(min(present)), float(max(present))
    wide = low > 0 and high / low >= LOG_RATIO
    on_log = low > 0 and (wide if sampling is None else "log" in sampling)
    numbers = tuple(None if value is None else float(value) for value in column)
    return Axis(name, "log" if on_log else "linear", (), low, high, numbers, True)


def _medians(
    places: int, values: Sequence[float | None], scores: Sequence[float | None]
) -> tuple[float | None, ...]:
    found: list[list[float]] = [[] for _ in range(places)]
    for value, score in zip(values, scores, strict=True):
        if value is not None and score is not None:
            found[int(value)].append(score)
    return tuple(float(np.median(each)) if len(each) > 1 else None for each in found)


def _curves(positions: Mapping[str, int], epochs: pd.DataFrame) -> tuple[Curve, ...]:
    own = epochs[epochs["trial_id"].isin(positions)]
    values: dict[str, dict[int, float]] = {}
    ends: dict[str, dict[int, int]] = {}
    for trial_id, epoch, rung, value in own[["trial_id", "epoch", "rung", "value"]].itertuples(index=False):
        values.setdefault(trial_id, {})[epoch] = value
        ends.setdefault(trial_id, {})[rung] = epoch
    return tuple(
        Curve(
            position,
            tuple(values[trial_id].get(number) for number in range(1, max(values[trial_id]) + 1)),
            tuple(end for _, end in sorted(ends[trial_id].items()))[:-1],
        )
        for trial_id, position in positions.items()
        if trial_id in values
    )


def _steps_by_trial(run: RunView, ranks: Mapping[str, int]) -> tuple[tuple[int, float], ...]:
    better = max if run.facts["direction"] == "max" else min
    steps: list[tuple[int, float]] = []
    for number, trial in enumerate(run.trials, start=1):
        score = trial.score if trial.trial_id in ranks else None
        if score is not None and (not steps or better(score, steps[-1][1]) != steps[-1][1]):
            steps.append((number, score))
    return (*steps, (len(run.trials), steps[-1][1])) if steps else ()


def _steps(run: RunView, epochs: pd.DataFrame) -> list[tuple[float, float, str]]:
    """Seconds, the best score from then on, and its trial."""
    better = max if run.facts["direction"] == "max" else min
    numbers = {trial.trial_id: i for i, trial in enumerate(run.trials)}
    failed = [trial.trial_id for trial in run.trials if trial.status == FAILED]
    alive = epochs[~epochs["trial_id"].isin(failed)]
    timed = sorted(
        zip(alive["spent_s"].tolist(), alive["value"].tolist(), alive["trial_id"].map(numbers), strict=True)
    )
    steps: list[tuple[float, float, str]] = []
    for seconds, value, number in timed:
        if not steps or better(value, steps[-1][1]) != steps[-1][1]:
            steps.append((seconds, value, run.trials[number].trial_id))
    if steps:
        steps.append((timed[-1][0], *steps[-1][1:]))
    return steps


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
