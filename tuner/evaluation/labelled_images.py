"""Labelled images of any data set, in the size and the classes of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from tuner.data.dataset import Dataset, load_dataset
from tuner.data.splits import sample_splits
from tuner.data_options import OF_FILES, SPLITS, DataOptions
from tuner.errors import UsageError
from tuner.evaluation.predictions import Predictions
from tuner.models.loading import TrainedModel
from tuner.results.query import open_run
from tuner.sources.class_names import is_generated
from tuner.sources.opening import open_source
from tuner.units import listed

Split = Literal["train", "validation", "test", "all"]
Progress = Callable[[int, int], None] | None
READING = (*OF_FILES, "min_class_images", "max_unusable", "strict", "data_format")
"""Wishes that make sense for labelled images with any model."""
# Pairs of classes in a suggestion, at most.
_SUGGESTED = 9
_GAP = "MODEL"


@dataclass(frozen=True)
class LabelledImages:
    """Images of a data set; `labels` are indices into the classes of a model."""

    dataset: Dataset
    indices: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    """Of the model."""
    split: Split
    why: str
    """The choice of the images in words, for the reader."""
    own: bool
    """Whether the model was trained on this data set."""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.dataset.paths[index] for index in self.indices)

    @property
    def seen(self) -> int | None:
        """Number of images in the training or validation images of the model, exact copies included.

        None for data other than those of its search.
        """
        return int(self.dataset.seen_in_training(self.indices).sum()) if self.own else None

    def predictions(self, probabilities: np.ndarray) -> Predictions:
        """Return predictions from probabilities (n, num_classes) in the order of `indices`."""
        seen = self.dataset.seen_in_training(self.indices) if self.own else None
        groups = self.dataset.groups(self.indices)
        return Predictions(self.paths, self.labels, self.class_names, probabilities, seen, groups)


def labelled_images(
    source: str,
    model: TrainedModel,
    options: DataOptions,
    split: Split | None,
    class_map: Mapping[str, str],
    limit: int | None = None,
    progress: Progress = None,
) -> LabelledImages:
    """Return images of a data set in the size and the classes of a model.

    Args:
        options: How the images and their labels are read. For the data of a run, its own wishes count where
            none are given.
        split: None takes the test split where the data has one, or where the model was trained on this data
            and the search made one; else all images.
        class_map: Name of a class in the data -> name of the same class in the model. Others do not count.
        limit: Number of images to take, each class keeping its share.

    Raises:
        DataError: the data cannot be used.
        UsageError: its classes are not those of the model.
    """
    dataset, own = _load(source, model, options, progress)
    labels = _labels(dataset, model, class_map)
    given = {SPLITS[number] for number in np.unique(dataset.records["split"]) if number >= 0}
    if split is None:
        split = "test" if own or "test" in given else "all"
        why = "the test split" if split == "test" else "all images, as the data has no test split"
    else:
        why = "all images" if split == "all" else f"the {split} split"
    if split != "all" and split not in given:
        carver = "the search of the model" if own else f"seed {dataset.seed}, as the data has none"
        why += f", carved by {carver}"
    indices = _indices(dataset, split)
    if limit is not None and limit < len(indices):
        indices = sample_splits({split: indices}, dataset.labels, limit, dataset.seed)[split]
        why += f"; {limit:,} of them"
    return LabelledImages(dataset, indices, labels[indices], model.facts.class_names, split, why, own)


def same_images(
    images: LabelledImages,
    source: str,
    model: TrainedModel,
    options: DataOptions,
    class_map: Mapping[str, str],
    progress: Progress = None,
) -> LabelledImages:
    """Return the same images of the same source, in the same order, for another model."""
    dataset, own = _load(source, model, options, progress)
    labels, names = _labels(dataset, model, class_map), model.facts.class_names
    places = {path: index for index, path in enumerate(dataset.paths)}
    indices = np.array([places[path] for path in images.paths])
    return replace(
        images, dataset=dataset, indices=indices, labels=labels[indices], class_names=names, own=own
    )


def _labels(dataset: Dataset, model: TrainedModel, class_map: Mapping[str, str]) -> np.ndarray:
    """The class of the model for each image of the data set, as an index, of shape (n,).

    `class_map` comes first, then the class of the same name, then the class of the same name in other
    capitals. Several classes of the data may be one class of the model.

    Raises:
        UsageError: a class of the data has no class of the model.
    """
    data_names, model_names = dataset.class_names, model.facts.class_names
    lower = {name.lower(): name for name in model_names}
    unique = len(lower) == len(model_names)
    found = []
    for name in data_names:
        candidates = (class_map.get(name), name, lower.get(name.lower()) if unique else None)
        target = next((each for each in candidates if each in model_names), None)
        if target is None:
            raise UsageError(
                f"class '{name}' of the data is no class of the model. Classes of the data: "
                f"{listed(data_names)}; of the model: {listed(model_names)}. "
                f"Say which is which: {_suggestion(data_names, model_names)}"
            )
        found.append(model_names.index(target))
    return np.array(found)[dataset.labels]


def _suggestion(data_names: Sequence[str], model_names: Sequence[str]) -> str:
    """A --map for the classes without a class of the same name, with gaps where their names do not tell."""
    lower = {name.lower() for name in model_names}
    lost = [name for name in data_names if name.lower() not in lower]
    pairs = [(_alike(name, model_names), name) for name in lost[:_SUGGESTED]]
    more = ",..." if len(lost) > _SUGGESTED else ""
    gaps = f", with a class of the model for {_GAP}" if _GAP in dict(pairs) else ""
    return f"--map {','.join(map('='.join, pairs))}{more}{gaps}"


def _alike(data_name: str, model_names: Sequence[str]) -> str:
    """The only class of the model that is generated, or photographed, like this one of the data."""
    meaning = is_generated(data_name)
    alike = [name for name in model_names if meaning is not None and is_generated(name) == meaning]
    return alike[0] if len(alike) == 1 else _GAP


def _indices(dataset: Dataset, split: Split) -> np.ndarray:
    if split == "all":
        return np.arange(len(dataset.labels))
    official = np.flatnonzero(dataset.records["split"] == SPLITS.index(split))
    # Carving may fail for too few images, and an official split needs none; train may lose images to others.
    if len(official) and split != "train" and dataset.is_whole:
        return official
    return dataset.splits[split]


def _load(source: str, model: TrainedModel, options: DataOptions, progress: Progress) -> tuple[Dataset, bool]:
    """The data set in the size of the model, and whether the model was trained on it: then split as there."""
    size, _, channels = model.image_shape
    of_model = {"image_size": size, "resize": model.facts.resize}
    options = _reading(source, model, options).model_copy(update=of_model)
    load = partial(load_dataset, source, channels=channels, labelled_only=True, progress=progress)
    known = model.facts.trained_on
    if known is not None:
        sample = {"limit": known.limit, "limit_test": known.limit_test}
        dataset = load(options.model_copy(update=sample), seed=known.seed)
        if dataset.fingerprint == known.fingerprint:
            return dataset, True
    return load(options), False


def _reading(source: str, model: TrainedModel, options: DataOptions) -> DataOptions:
    """The wishes of a run on reading its own data, and over them those given."""
    run_path = model.facts.run_path
    if run_path is None or open_source(source).location != model.facts.source:
        return options
    own = open_run(run_path).config.model_dump(include=set(READING))
    return DataOptions(**own | options.model_dump(exclude_unset=True))
