"""How a model's figures fall as its images are corrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tuner.evaluation.corruptions import CORRUPTIONS, Corruption, Pixels
from tuner.evaluation.evaluated_predictions import Judged
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.plot_robustness import write_robustness_png
from tuner.models.loading import TrainedModel
from tuner.results.schema import ROBUSTNESS_FILE, ROBUSTNESS_PLOT, ROBUSTNESS_TABLE
from tuner.results.tables import rows_table, write_json, write_table
from tuner.statistics.headline import HEADLINE_COLUMNS, headline, headline_row
from tuner.training.device import num_cores

ROBUSTNESS_COLUMNS = ("corruption", "strength", "images", *HEADLINE_COLUMNS)

# A model predicts so many images at once, a thread corrupts so many: what takes little memory and much time.
_BLOCK_IMAGES, _BLOCK_BYTES = 8192, 64 * 2**20
_PART_IMAGES = 256


def robustness(
    model: TrainedModel,
    images: LabelledImages,
    judged: Judged,
    corruptions: Sequence[Corruption] = CORRUPTIONS,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return what robustness.json holds: accuracy and AUROC in each strength of each corruption.

    The first level of each corruption is the untouched images, with the figures of `judged`.

    Args:
        images: In the size of the model, in which they are corrupted.
        judged: What the model says of these images untouched.
        progress: Called with (done, total) images.
    """
    untouched = headline(judged.evaluation())
    found: list[dict[str, Any]] = [
        {
            "name": corruption.name,
            "meaning": corruption.meaning,
            "levels": [{"strength": corruption.untouched, **untouched}],
        }
        for corruption in corruptions
    ]
    steps = [(i, strength) for i, corruption in enumerate(corruptions) for strength in corruption.strengths]
    total = len(steps) * len(images.indices)
    predicted = _predicted(model, images, [(corruptions[i], strength) for i, strength in steps])
    for done, ((i, strength), probabilities) in enumerate(zip(steps, predicted, strict=True), start=1):
        there = replace(judged, predictions=images.predictions(probabilities))
        found[i]["levels"].append({"strength": strength, **headline(there.evaluation())})
        if progress:
            progress(done * len(images.indices), total)
    return {
        "model": model.facts.name,
        "data": images.dataset.source,
        "data_fingerprint": images.dataset.fingerprint,
        "split": images.split,
        "images": len(images.indices),
        "positive_class": judged.positive,
        "corruptions": found,
    }


def robustness_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row of ROBUSTNESS_COLUMNS for each level; the strength of what has none stays empty."""
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
    write_json(folder / ROBUSTNESS_FILE, found)
    write_table(folder / ROBUSTNESS_TABLE, rows_table(robustness_rows(found), ROBUSTNESS_COLUMNS))
    write_robustness_png(folder / ROBUSTNESS_PLOT, found, title)


def _predicted(
    model: TrainedModel, images: LabelledImages, steps: Sequence[tuple[Corruption, float]]
) -> Iterator[np.ndarray]:
    """Class probabilities (n, num_classes) of the images in each step.

    Threads corrupt the next block while the model predicts this one; no more than two are in memory.
    """
    pixels, indices = images.dataset.images, images.indices
    length = max(1, min(_BLOCK_IMAGES, _BLOCK_BYTES // pixels[0].nbytes))
    blocks = [indices[start : start + length] for start in range(0, len(indices), length)]
    jobs = [(corruption, strength, block) for corruption, strength in steps for block in blocks]

    def corrupt(corruption: Corruption, strength: float, positions: np.ndarray) -> Pixels:
        return corruption(pixels[positions], positions, strength)

    with ThreadPoolExecutor(num_cores(), "corrupt") as pool:

        def begin(corruption: Corruption, strength: float, block: np.ndarray) -> list[Future[Pixels]]:
            parts = (block[start : start + _PART_IMAGES] for start in range(0, len(block), _PART_IMAGES))
            return [pool.submit(corrupt, corruption, strength, part) for part in parts]

        under_way = begin(*jobs[0]) if jobs else []
        outputs = []
        for number in range(len(jobs)):
            block = np.concatenate([future.result() for future in under_way])
            under_way = begin(*jobs[number + 1]) if number + 1 < len(jobs) else []
            outputs.append(model.predict(block, np.arange(len(block))))
            if len(outputs) == len(blocks):
                yield np.concatenate(outputs)
                outputs = []
