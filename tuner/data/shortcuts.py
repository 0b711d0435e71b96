"""Shortcuts: plain properties, such as file size or brightness, that separate the classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tuner.data.dataset import Dataset

WARN_AUROC = 0.75
"""Least AUROC of a property for a warning; chance gives 0.5."""
CHANCE_ERRORS = 3.0
"""Least distance from 0.5 in standard errors: among few images some property always differs a little."""
MAX_SAMPLED = 10_000
"""Most images whose pixels are read: enough for an AUROC to a hundredth."""

_OF_FILES = {
    "file size": "file_size",
    "width": "width",
    "height": "height",
    "JPEG tables": "jpeg_tables",
    "mode": "mode",
}
_BLOCK_IMAGES = 512
_MEANING = {
    "files": ("the files alone give classes away", "good figures on such data may rest on that"),
    "images": (
        "a plain property of the images tells classes apart",
        "it is in the images, not in their files; a model may rest on it alone",
    ),
}


@dataclass(frozen=True)
class Shortcut:
    """How well one property alone separates a class from the others.

    A property of files is not visible in the image. A property of images is in the pixels, and may be a fair
    part of the difference between the classes. A model may rest on either.
    """

    feature: str
    class_name: str
    auroc: float
    """0.5 (not at all) to 1 (perfectly), whichever direction; ties count half."""
    warn_from: float = WARN_AUROC
    """Least AUROC for a warning, 0.5 or more; higher with few images."""
    of: Literal["files", "images"] = "files"

    @property
    def is_warning(self) -> bool:
        """Whether the property separates the classes well enough for a warning."""
        return self.auroc >= self.warn_from


def shortcuts(dataset: Dataset) -> tuple[Shortcut, ...]:
    """Return each property with the class that it separates best, the strongest property first.

    Properties of files cover all images. Brightness (the mean of all pixels and channels) and colourfulness
    (the largest channel of the mean colour less the smallest) come from the decoded pixels of at most
    MAX_SAMPLED images, equally many of each class where possible. With one class there are no shortcuts.
    """
    labels = dataset.labels
    if len(np.unique(labels)) < 2:
        return ()
    found = [
        _strongest(dataset, feature, "files", dataset.records[column], labels)
        for feature, column in _OF_FILES.items()
    ]
    sample = _sample(labels, len(dataset.class_names))
    colours = _mean_colours(dataset.images, sample)
    found.append(
        _strongest(dataset, "mean brightness", "images", colours.mean(axis=1).round(3), labels[sample])
    )
    if colours.shape[1] > 1:
        spread = np.ptp(colours, axis=1).round(3)
        found.append(_strongest(dataset, "mean colourfulness", "images", spread, labels[sample]))
    return tuple(sorted(found, key=lambda shortcut: -shortcut.auroc))


def auroc(values: npt.NDArray[Any], positive: npt.NDArray[np.bool_]) -> float:
    """Return the probability that a positive has a higher value than a negative; ties count half.

    Shapes (n,), with both kinds in them. Source: Mann & Whitney 1947; U over the number of pairs.
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # ties share the mean of their ranks
    num_positive = np.count_nonzero(positive)
    num_negative = len(values) - num_positive
    above = ranks[positive].sum() - num_positive * (num_positive + 1) / 2
    return float(above / (num_positive * num_negative))


def warn_from(num_positive: int, num_negative: int) -> float:
    """Return the least AUROC for a warning, from the numbers of images of a class and of the others.

    Source: Mann & Whitney 1947, the variance of U without a difference.
    """
    error = math.sqrt((num_positive + num_negative + 1) / (12 * num_positive * num_negative))
    return max(WARN_AUROC, 0.5 + CHANCE_ERRORS * error)


def _strongest(
    dataset: Dataset,
    feature: str,
    of: Literal["files", "images"],
    values: npt.NDArray[Any],
    labels: npt.NDArray[np.int32],
) -> Shortcut:
    def strength(label: int, name: str) -> Shortcut:
        own = labels == label
        area, num_own = auroc(values, own), int(np.count_nonzero(own))
        bound = warn_from(num_own, len(labels) - num_own)
        return Shortcut(feature, name, max(area, 1 - area), bound, of)

    each = [strength(label, dataset.class_names[label]) for label in np.unique(labels).tolist()]
    # Of two classes each is separated as well as the other: then name the positive one.
    return max(each, key=lambda s: (s.is_warning, s.auroc, s.class_name == dataset.positive_class))


def _sample(labels: npt.NDArray[np.int32], num_classes: int) -> npt.NDArray[np.int64]:
    """Return sorted indices of images, spread evenly over those of each class."""
    most = max(1, MAX_SAMPLED // num_classes)
    chosen = []
    for label in range(num_classes):
        own = np.flatnonzero(labels == label)
        chosen.append(own[np.linspace(0, len(own) - 1, min(len(own), most)).astype(np.int64)])
    return np.sort(np.concatenate(chosen))


def _mean_colours(images: npt.NDArray[np.uint8], sample: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the mean of each channel, 0..255, of each image: (n, channels)."""
    blocks = (sample[start : start + _BLOCK_IMAGES] for start in range(0, len(sample), _BLOCK_IMAGES))
    return np.concatenate([images[block].mean(axis=(1, 2)) for block in blocks])


def shortcut_rows(found: Sequence[Shortcut], warnings_only: bool = False) -> list[dict[str, Any]]:
    """Return shortcuts as plain values, the strongest first."""
    return [asdict(shortcut) for shortcut in found if shortcut.is_warning or not warnings_only]


def shortcut_sentences(found: Sequence[Shortcut]) -> list[str]:
    """Return a sentence on the files and one on the images, each where there is something to warn of."""
    sentences = []
    for of, (what, so) in _MEANING.items():
        warned = [shortcut for shortcut in found if shortcut.of == of and shortcut.is_warning]
        listed = ", ".join(f"{s.feature} tells {s.class_name} apart (AUROC {s.auroc:.2f})" for s in warned)
        if warned:
            sentences.append(f"{what}: {listed}; {so}")
    return sentences


def shortcut_warnings(dataset: Dataset, found: Sequence[Shortcut]) -> list[str]:
    """Return what the user of a data set is told of its shortcuts."""
    name = Path(dataset.source).name
    return [f"Warning: in {name} {sentence}" for sentence in shortcut_sentences(found)]
