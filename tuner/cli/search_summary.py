"""What a search says before it begins, and at its end."""

from __future__ import annotations

from itertools import groupby

from rich.table import Table

from tuner.cli.output import format_seconds, stderr
from tuner.cli.terminal import Text
from tuner.config import WITH_RUNGS, SearchConfig
from tuner.data.dataset import Dataset
from tuner.data.sample_size import sample_notes
from tuner.data_options import MAX_SIZE, Resize
from tuner.training.compute import DEFAULT_COMPUTE, Compute
from tuner.training.pixels import RAW
from tuner.tuning.events import Prepared, WinnerEvaluated
from tuner.tuning.oracles import make_plan
from tuner.tuning.plan import Bracket, Plan, Rung
from tuner.units import counted, listed

LABEL_WIDTH = 7
# Of so many classes on, the head has the number and a few names.
MANY = 10
# Pixels a side that networks for photographs are usually trained on.
PHOTOGRAPHS = 224
_OBLONG: dict[Resize, str] = {
    "squeeze": "are no squares and squeezed; --resize pad keeps their shape, crop takes the middle",
    "crop": "are no squares, of which the middle is taken",
    "pad": "are no squares and get black borders",
}


def show_start(event: Prepared) -> None:
    """Say what will be done, with what, before anything is trained."""
    from tuner.spaces.configurations import declared_space, space_size

    config, dataset, description = event.config, event.dataset, event.description
    space = declared_space(description.hyperparameters)
    size = space_size(space)
    extent = counted(len({parameter.name for parameter in space.space}), "hyperparameter")
    if size is not None:
        extent += f", {counted(size, 'configuration')}"
    plan = make_plan(config, size)
    height, width, channels = dataset.image_shape
    images = ", ".join(f"{split} {len(indices):,}" for split, indices in dataset.splits.items())
    names = dataset.class_names
    classes = f"{len(names):,} classes, {listed(names)}" if len(names) >= MANY else " / ".join(names)
    skipped = f"; {len(dataset.skipped)} unreadable left out" if dataset.skipped else ""
    lines = {
        "data": f"{dataset.name}, {width}x{height}x{channels}, {classes}: {images}{skipped}",
        **_resized(dataset),
        **_copies(event),
        **_pixels(config),
        "space": f"{config.space}, {extent}; default model {description.num_params:,} parameters",
        "device": _device(event.device, description.compute),
        "plan": _plan(config, plan),
        **_brackets(plan),
        **({"run": str(event.path)} if event.path else {}),
    }
    small = sample_notes(dataset.counts(), config.class_weights == "auto")
    notes = [("note", text) for text in (*dataset.notes, *small, *description.notes)]
    console = stderr()
    if not console.is_terminal:
        for name, text in (*lines.items(), *notes):
            console.print(f"{name:<{LABEL_WIDTH}}{text}", soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in (*lines.items(), *notes):
        grid.add_row(name, Text(text))
    console.print(grid)


def show_speed(event: WinnerEvaluated) -> None:
    """Say how fast a search was, and how much of its time did not go into training."""
    tally, lines = event.tally, []
    if tally.known_epochs:
        lines.append(f"{counted(tally.known_epochs, 'epoch')} known from earlier runs")
    if tally.train_s:
        outside = max(0.0, 1 - tally.epochs_s / (event.workers * event.elapsed_s))
        lines.append(
            f"{tally.images / tally.train_s:,.0f} images/s in training steps; {outside:.1%} of "
            f"{format_seconds(event.elapsed_s)} outside training and validation"
        )
    for line in lines:
        stderr().print(Text(line, "dim"), soft_wrap=True)


def _resized(dataset: Dataset) -> dict[str, str]:
    """A line where images are made smaller or larger to the size that all have, and how to keep more."""
    side, total = dataset.image_shape[0], sum(map(len, dataset.splits.values()))
    parts = []
    for change, found in dataset.resized.items():
        whose = "all" if found.num_images == total else f"{found.num_images:,} of {total:,}"
        part = f"{whose} made {change}, most from {found.width}x{found.height} to {side}x{side}"
        better = min(found.width, found.height, PHOTOGRAPHS if side < PHOTOGRAPHS else MAX_SIZE)
        parts.append(f"{part}; --image-size {better} keeps more" if better > side else part)
    if oblong := dataset.num_oblong:
        parts.append(f"{oblong:,} of {total:,} {_OBLONG[dataset.resize]}")
    return {"images": "; ".join(parts)} if parts else {}


def _pixels(config: SearchConfig) -> dict[str, str]:
    """A line where the pixels are scaled outside of the space."""
    if config.pixels == RAW:
        return {}
    return {"pixels": f"scaled to {config.pixels} in training; the models of this run take {RAW}"}


def _copies(event: Prepared) -> dict[str, str]:
    """Lines where the test split holds images that training sees, or nearly; none where it does not."""
    total, lines = len(event.dataset.splits["test"]), {}
    if seen := event.dataset.seen_test_images:
        lines["copies"] = (
            f"{seen:,} of {total:,} test images have the same pixels as an image of train or "
            "validation; test figures are given without them too"
        )
    if near := event.near_test_images:
        lines["near"] = f"{near:,} of {total:,} test images nearly copy an image of train or validation"
    return lines


def _device(device: str, compute: Compute) -> str:
    text = device if device.startswith("GPU") else f"{device} (no GPU found)"
    precision = f", {compute.precision}" if compute != DEFAULT_COMPUTE else ""
    return f"{text}{precision}{', XLA' if compute.xla else ''}"


def _plan(config: SearchConfig, plan: Plan) -> str:
    epochs = min(plan.epochs, config.max_epochs_total or plan.epochs)
    if plan.trials == 1:
        return f"1 trial, at most {counted(epochs, 'epoch')}"
    sampler = f" with {config.sampler}" if config.algorithm in WITH_RUNGS else ""
    workers = f", {config.workers} at a time" if config.workers > 1 else ""
    head = f"{config.algorithm}{sampler}, {counted(plan.trials, 'trial')}{workers}"
    if any(bracket.factor for bracket in plan.brackets) and epochs != config.max_epochs_total:
        return f"{head}, {counted(epochs, 'epoch')} of training or some more"
    return f"{head}, at most {counted(epochs, 'epoch')} of training"


def _brackets(plan: Plan) -> dict[str, str]:
    """A line for each bracket, or for several alike in a row; none where there is nothing to promote."""
    if len(plan.brackets[0].rungs) == 1:
        return {}
    lines, number = {}, 1
    for bracket, alike in groupby(plan.brackets):
        last = number + len(list(alike)) - 1
        label = f" {number}" if number == last else f" {number}-{last}"
        lines[label] = _bracket(bracket, each=number != last)
        number = last + 1
    return lines


def _bracket(bracket: Bracket, each: bool) -> str:
    first, *later = (f"{rung.epochs}{_part(rung)}" for rung in bracket.rungs)
    text = f"{counted(bracket.trials, 'trial')}{' each' if each else ''} to epoch {first}"
    trials = (rung.trials for rung in bracket.rungs[1:])
    text += "".join(
        f", then to {to}" if bracket.trials == 1 else f", best {n} to {to}"
        for n, to in zip(trials, later, strict=True)
    )
    return text if bracket.factor is None else f"{text}; some more, as no rung waits to be full"


def _part(rung: Rung) -> str:
    return "" if rung.data_share == 1 else f" on {rung.data_share:.0%} of the data"
