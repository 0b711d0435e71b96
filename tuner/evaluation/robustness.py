"""Accuracy and AUROC of a model on corrupted images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tuner.evaluation.corruptions import CORRUPTIONS, Corruption, Pixels
from tuner.evaluation.evaluated_predictions import EvaluatedPredictions
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.plot_robustness import write_robustness_png
from tuner.models.loading import TrainedModel
from tuner.results.checked_json import write_checked
from tuner.results.schema import ROBUSTNESS_FILE, ROBUSTNESS_PLOT, ROBUSTNESS_TABLE
from tuner.results.tables import rows_table, write_table
from tuner.statistics.headline import headline, headline_row
from tuner.training.device import num_cores

# Images that a model predicts at once, and that a thread corrupts: little memory, and enough work for each.
_BLOCK_IMAGES, _BLOCK_BYTES = 8192, 64 * 2**20
_PART_IMAGES = 256


def robustness(
    model: TrainedModel,
    images: LabelledImages,
    evaluated: EvaluatedPredictions,
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return the content of robustness.json: accuracy and AUROC at each strength of each corruption.

    The first level of each corruption is the untouched images, with the figures of `evaluated`.

    Args:
        images: In the size of the model; they are corrupted in this size.
        evaluated: Predictions of the model on the untouched images.
        progress: Called with (done, total) images.
    """
    count = len(images.indices)
    untouched = headline(evaluated.evaluation())
    levels = {each.name: [{"strength": each.untouched, **untouched}] for each in corruptions}
    steps = [(corruption, strength) for corruption in corruptions for strength in corruption.strengths]
    predicted = zip(steps, _predicted(model, images, steps), strict=True)
    for done, ((corruption, strength), probabilities) in enumerate(predicted, start=1):
        corrupted = replace(evaluated, predictions=images.predictions(probabilities))
        levels[corruption.name].append({"strength": strength, **headline(corrupted.evaluation())})
        if progress:
            progress(done * count, len(steps) * count)
    return {
        "model": model.facts.name,
        "data": images.dataset.source,
        "data_fingerprint": images.dataset.fingerprint,
        "split": images.split,
        "images": count,
        "positive_class": evaluated.positive,
        "corruptions": [
            {"name": each.name, "meaning": each.meaning, "levels": levels[each.name]} for each in corruptions
        ],
    }


def robustness_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row of robustness.csv for each level; the strength of what has none stays empty."""
    return [
        {
            "corruption": corruption["name"],
            "strength": level["strength"],
            "images": found["images"],
            **headline_row(level),
        }
        for corruption in found["corruptions"]
        for level in corruption["levels"]
    ]


def write_robustness(folder: Path, found: dict[str, Any], title: str) -> None:
    """Write ROBUSTNESS_FILES into a folder: all of it, as a table, as curves."""
    write_checked(folder / ROBUSTNESS_FILE, found)
    write_table(folder / ROBUSTNESS_TABLE, rows_table(robustness_rows(found)))
    write_robustness_png(folder / ROBUSTNESS_PLOT, found, title)


def _predicted(
    model: TrainedModel, images: LabelledImages, steps: Sequence[tuple[Corruption, float]]
) -> Iterator[np.ndarray]:
    """Class probabilities (n, num_classes) of the images in each step.

    Threads corrupt the next block while the model predicts this one; at most two blocks are in memory.
    """
    pixels, indices = images.dataset.images, images.indices
    length = max(1, min(_BLOCK_IMAGES, _BLOCK_BYTES // pixels[0].nbytes))
    blocks = [indices[start : start + length] for start in range(0, len(indices), length)]
    jobs = [(corruption, strength, block) for corruption, strength in steps for block in blocks]

    with ThreadPoolExecutor(num_cores(), "corrupt") as pool:

        def start(corruption: Corruption, strength: float, block: np.ndarray) -> Iterator[Pixels]:
            parts = [block[first : first + _PART_IMAGES] for first in range(0, len(block), _PART_IMAGES)]
            return pool.map(lambda part: corruption(pixels[part], part, strength), parts)

        under_way = start(*jobs[0]) if jobs else iter(())
        outputs = []
        for number in range(1, len(jobs) + 1):
            block = np.concatenate(list(under_way))
            under_way = start(*jobs[number]) if number < len(jobs) else iter(())
            outputs.append(model.predict(block, np.arange(len(block))))
            if len(outputs) == len(blocks):
                yield np.concatenate(outputs)
                outputs = []
