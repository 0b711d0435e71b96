"""The plots of a report as PNG files, from the same numbers as those on the page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tuner.analysis.plot_importance import write_effects_png, write_importance_png
from tuner.evaluation.gallery import Gallery
from tuner.evaluation.plot_confusion import write_confusion_png
from tuner.evaluation.plot_names import drawn_names
from tuner.evaluation.plot_robustness import write_robustness_png
from tuner.files import replacing
from tuner.report.contents import Contents
from tuner.report.plot_data import Axis, SearchPlots
from tuner.results.schema import ROBUSTNESS_PLOT

ACCENT, WINNER, INK, DIM, LINE = "#1f6fb4", "#c2540a", "#1b1d21", "#5f646d", "#dfe1e5"
RAMP = ("#c9ced6", "#9fb7cf", "#6b9bc8", "#3478b7", "#0e4a88")
# Of the trials with a score, the share above which each colour of the ramp begins, the best at 0.
RAMP_ENDS = (0.7, 0.45, 0.2, 0.05)
SLICES_ACROSS = 4


def write_pictures(contents: Contents, folder: Path) -> list[str]:
    """Write a PNG file of each plot that the run has, in the place of earlier ones; return their names.

    Raises:
        StorageError: a file cannot be written.
    """
    with drawn_names(contents.run.facts["data"]["class_names"]) as shown:
        return _write_pictures(contents, folder, shown)


def _write_pictures(contents: Contents, folder: Path, shown: Callable[[str], str]) -> list[str]:
    plots, evaluation, title = contents.plots, contents.evaluation, contents.run.run_id
    names: list[str] = []

    def picture(name: str, width: float, height: float, draw: Callable[[Any], None]) -> None:
        figure = _figure(width, height)
        draw(figure)
        figure.suptitle(title, fontsize=9, color=DIM)
        with replacing(folder / name) as draft:
            figure.savefig(draft)
        names.append(name)

    winner = contents.winner_position
    if any(trial.score is not None for trial in plots.trials):
        picture("best_so_far.png", 7, 3.6, lambda figure: _draw_progress(figure, plots, winner))
    if plots.curves:
        picture("learning_curves.png", 7, 3.6, lambda figure: _draw_curves(figure, plots, winner))
    if plots.axes and any(trial.score is not None for trial in plots.trials):
        width = max(7, 1.15 * (len(plots.axes) + 1))
        picture("parallel_coordinates.png", width, 4.2, lambda figure: _draw_parallel(figure, plots, winner))
        rows = math.ceil(len(plots.axes) / SLICES_ACROSS)
        picture("slices.png", 11, 2.4 * rows + 0.4, lambda figure: _draw_slices(figure, plots, winner))
    if contents.importance is not None and contents.importance.observations.trials:
        write_importance_png(folder / "importance.png", contents.importance, title)
        write_effects_png(folder / "marginal_means.png", contents.importance, title)
        names += ["importance.png", "marginal_means.png"]
    if evaluation is not None:
        write_confusion_png(folder / "confusion_matrix.png", evaluation, f"{title}, test images")
        names.append("confusion_matrix.png")
        if contents.roc:
            picture("roc.png", 4.6, 4.4, lambda figure: _draw_roc(figure, contents, shown))
        picture("calibration.png", 4.6, 4.4, lambda figure: _draw_calibration(figure, evaluation))
    if contents.robustness is not None:
        write_robustness_png(folder / ROBUSTNESS_PLOT, contents.robustness, f"{title}, test images")
        names.append(ROBUSTNESS_PLOT)
    if contents.gallery is not None and contents.gallery.examples:
        gallery = contents.gallery
        rows = 2 * len(gallery.class_names)
        picture("gallery.png", 9.6, 1.45 * rows + 0.3, lambda figure: _draw_gallery(figure, gallery, shown))
    return names


def _colour(plots: SearchPlots, trial: int, winner: int | None) -> str:
    """By rank, as on the page."""
    if trial == winner:
        return WINNER
    rank = plots.trials[trial].rank
    if rank is None:
        return RAMP[0]
    share = (rank - 1) / max(plots.scored - 1, 1)
    return RAMP[sum(share <= end for end in RAMP_ENDS)]


def _back_to_front(plots: SearchPlots, trials: list[int], winner: int | None) -> list[int]:
    return sorted(trials, key=lambda i: (i == winner, -(plots.trials[i].rank or math.inf)))


def _scored(plots: SearchPlots) -> list[int]:
    return [i for i, trial in enumerate(plots.trials) if trial.score is not None]


def _draw_progress(figure: Any, plots: SearchPlots, winner: int | None) -> None:
    axes = _axes(figure.add_subplot(), "trial", f"{plots.objective} in the end")
    axes.step(*zip(*plots.progress.by_trial, strict=True), where="post", color=ACCENT, linewidth=1.6)
    _scatter(axes, plots, winner, lambda i: plots.trials[i].number, 16)


def _draw_curves(figure: Any, plots: SearchPlots, winner: int | None) -> None:
    axes = _axes(figure.add_subplot(), "epoch", plots.objective)
    for epoch in {end for curve in plots.curves for end in curve.promoted}:
        axes.axvline(epoch, color=DIM, linewidth=0.7, linestyle=(0, (2, 3)), zorder=1)
    curves = {curve.trial: curve for curve in plots.curves}
    for i in _back_to_front(plots, list(curves), winner):
        values, colour = curves[i].values, _colour(plots, i, winner)
        epochs = range(1, len(values) + 1)
        width = 1.8 if i == winner else 0.9
        axes.plot(epochs, [math.nan if v is None else v for v in values], color=colour, linewidth=width)
        ends = [*curves[i].promoted, *([len(values)] if len(values) == 1 else [])]
        dots = [(end, value) for end in ends if (value := values[end - 1]) is not None]
        if dots:
            axes.scatter(*zip(*dots, strict=True), s=9, color=colour, zorder=2)


def _draw_parallel(figure: Any, plots: SearchPlots, winner: int | None) -> None:
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set(xlim=(-0.35, len(plots.axes) + 0.6), ylim=(-0.06, 1.14))
    scores = [trial.score for trial in plots.trials]
    present = [score for score in scores if score is not None]
    goal = Axis(plots.objective, "linear", (), min(present), max(present), tuple(scores), True)
    shown = [*plots.axes, goal]
    heights = [_heights(axis) for axis in shown]
    for i in _back_to_front(plots, _scored(plots), winner):
        width = 1.8 if i == winner else 0.8
        line = [height[i] for height in heights]
        axes.plot(range(len(shown)), line, color=_colour(plots, i, winner), linewidth=width, alpha=0.85)
    for place, axis in enumerate(shown):
        axes.plot([place, place], [0, 1], color=DIM, linewidth=0.8)
        name = textwrap.shorten(axis.name.replace("_", " "), 20, placeholder="…")
        axes.text(place, 1.06, name, ha="center", fontsize=8, color=INK)
        inactive = any(value is None for value in axis.values) and axis is not goal
        for where, text in _ticks(axis, inactive):
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.6}
            axes.text(place + 0.06, where, text[:16], va="center", fontsize=7, color=DIM, bbox=box)
    for text in axes.texts:
        text.set_in_layout(False)


def _heights(axis: Axis) -> list[float]:
    """From 0 to 1; those that are not active lie at 0, below the others."""
    floor = 0.09 if None in axis.values else 0.0
    return [0.0 if value is None else floor + (1 - floor) * _share(axis, value) for value in axis.values]


def _share(axis: Axis, value: float) -> float:
    if axis.high <= axis.low:
        return 0.5
    if axis.scale == "log":
        return math.log(value / axis.low) / math.log(axis.high / axis.low)
    return (value - axis.low) / (axis.high - axis.low)


def _ticks(axis: Axis, inactive: bool) -> list[tuple[float, str]]:
    floor = 0.09 if inactive else 0.0
    ends = [(axis.low, f"{axis.low:.4g}"), (axis.high, f"{axis.high:.4g}")]
    named = [(float(i), label) for i, label in enumerate(axis.labels)] if axis.labels else ends
    found = [(floor + (1 - floor) * _share(axis, value), text) for value, text in named]
    return [*([(0.0, "–")] if inactive else []), *found]


def _draw_slices(figure: Any, plots: SearchPlots, winner: int | None) -> None:
    rows = math.ceil(len(plots.axes) / SLICES_ACROSS)
    panels = figure.subplots(rows, min(SLICES_ACROSS, len(plots.axes)), sharey=True, squeeze=False)
    for axes in panels.flat[len(plots.axes) :]:
        axes.set_visible(False)
    for axes, axis in zip(panels.flat, plots.axes, strict=False):
        _axes(axes, "", "")
        axes.set_title(axis.name, fontsize=9, color=INK)
        if axis.scale == "log":
            axes.set_xscale("log")
        if axis.labels:
            axes.set_xticks(range(len(axis.labels)), axis.labels)
            axes.set_xlim(-0.5, len(axis.labels) - 0.5)
        _scatter(axes, plots, winner, partial(_beside, axis), 10)


def _beside(axis: Axis, trial: int) -> float | None:
    """Where a trial lies on an axis; on a place, dots lie beside one another, as on the page."""
    value = axis.values[trial]
    spread = 0.15 * (2 * (trial * 0.618034 % 1) - 1) if axis.labels else 0.0
    return None if value is None else value + spread


def _scatter(
    axes: Any, plots: SearchPlots, winner: int | None, place: Callable[[int], float | None], size: float
) -> None:
    shown = [i for i in _back_to_front(plots, _scored(plots), winner) if place(i) is not None]
    axes.scatter(
        [place(i) for i in shown],
        [plots.trials[i].score for i in shown],
        s=[size * (2 if i == winner else 1) for i in shown],
        color=[_colour(plots, i, winner) for i in shown],
        zorder=3,
    )


def _draw_roc(figure: Any, contents: Contents, shown: Callable[[str], str]) -> None:
    axes = _axes(figure.add_subplot(), "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=DIM, linewidth=0.8, linestyle="--")
    for number, curve in enumerate(contents.roc):
        colour = ACCENT if len(contents.roc) == 1 else RAMP[4 - number % 4]
        axes.plot(curve.fpr, curve.tpr, color=colour, label=f"AUROC {curve.auroc:.4f}, {shown(curve.name)}")
        for text, fpr, tpr in curve.marks:
            axes.plot(fpr, tpr, "o", mfc="white", mec=WINNER, label=text)
    axes.set_aspect("equal")
    if len(contents.roc) <= 10:
        axes.legend(frameon=False, fontsize=7, loc="lower right")


def _draw_calibration(figure: Any, evaluation: dict[str, Any]) -> None:
    axes = _axes(figure.add_subplot(), "confidence", "share that is right")
    shown = [("as trained", DIM, evaluation)]
    if calibrated := evaluation.get("calibrated"):
        shown.append((f"at temperature {calibrated['temperature']:.3g}", ACCENT, calibrated))
    low = min(point["low"] for _, _, figures in shown for point in figures["reliability"])
    axes.plot([low, 1], [low, 1], color=DIM, linewidth=0.8, linestyle="--")
    for name, colour, figures in shown:
        points = figures["reliability"]
        confidence = [point["confidence"] for point in points]
        label = f"{name}, calibration error {figures['ece']:.4f}"
        axes.plot(confidence, [p["accuracy"] for p in points], "o-", color=colour, ms=4, lw=1, label=label)
        lows, highs = zip(*(point["accuracy_interval_95"] for point in points), strict=True)
        axes.vlines(confidence, lows, highs, color=colour, linewidth=0.9)
    axes.legend(frameon=False, fontsize=7, loc="lower right")


def _draw_gallery(figure: Any, gallery: Gallery, shown: Callable[[str], str]) -> None:
    rows = [(name, errors) for name in gallery.class_names for errors in (True, False)]
    across = max(len(gallery.of(*row)) for row in rows)
    panels = figure.subplots(len(rows), across, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for (name, errors), line in zip(rows, panels, strict=True):
        for axes, example in zip(line, gallery.of(name, errors), strict=False):
            axes.imshow(example.pixels.squeeze(), cmap="gray" if example.pixels.shape[-1] == 1 else None)
            title = f"{shown(name)}: {shown(example.predicted)} {example.confidence:.1%}"
            axes.set_title(title, fontsize=6, color=INK)


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def _axes(axes: Any, x: str, y: str) -> Any:
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=8, labelcolor=DIM)
    axes.set_xlabel(x, fontsize=8, color=DIM)
    axes.set_ylabel(y, fontsize=8, color=DIM)
    return axes
