"""The examples that a run keeps of its test images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.reported import Pixels, predictions
from tuner.errors import StorageError
from tuner.evaluation.gallery import IMAGES_EACH, MAX_CLASSES, choose_examples, read_gallery, write_gallery
from tuner.evaluation.predictions import Predictions
from tuner.training.heatmaps import Heatmaps


def of(labels: list[int], first: list[float]) -> Predictions:
    p = np.array(first)
    paths = tuple(map(str, range(len(p))))
    return Predictions(paths, np.array(labels), ("a", "b"), np.stack([p, 1 - p], axis=1))


def test_errors_come_first_the_most_confident_at_the_front() -> None:
    made = of([0, 0, 0, 1], [0.4, 0.1, 0.9, 0.2])
    assert choose_examples(made).tolist() == [1, 0, 2, 3]


def test_typical_hits_are_those_nearest_to_the_median_confidence() -> None:
    made = of([0] * 5, [0.99, 0.6, 0.8, 0.9, 0.79])
    assert choose_examples(made).tolist() == [2, 4, 3, 0, 1]


def test_there_are_few_of_each_class_and_of_many_classes_those_with_most_errors() -> None:
    names = tuple(f"c{i:02d}" for i in range(12))
    labels = np.repeat(np.arange(12), 30)
    probabilities = np.full((360, 12), 0.04)
    # The higher the class, the more errors; the last class has none.
    guesses = np.where(np.arange(360) % 30 < labels, 11, labels)
    probabilities[np.arange(360), guesses] = 0.56
    made = Predictions(tuple(map(str, range(360))), labels, names, probabilities)
    chosen = labels[choose_examples(made)]
    assert sorted(set(chosen.tolist())) == list(range(3, 11))
    assert len(set(chosen.tolist())) == MAX_CLASSES
    assert np.bincount(chosen).max() <= 2 * IMAGES_EACH


def test_a_gallery_is_read_as_it_was_written(tmp_path: Path) -> None:
    made, pixels = predictions(), Pixels(90)
    asked: list[Any] = []

    def maps(indices: np.ndarray, classes: np.ndarray) -> Heatmaps:
        asked.append((indices, classes))
        return Heatmaps(np.ones((len(indices), 3, 2)), "by hand")

    data: Any = pixels
    write_gallery(tmp_path / "gallery.npz", data, "test", made, maps)
    gallery = read_gallery(tmp_path / "gallery.npz")
    assert gallery is not None
    assert gallery.class_names == ("FAKE", "REAL")
    assert gallery.method == "by hand"
    chosen = choose_examples(made)
    assert (asked[0][0] == chosen + 3).all()
    for example, index in zip(gallery.examples, chosen, strict=True):
        assert example.path == made.paths[index]
        assert (example.pixels == pixels.images[index + 3]).all()
        assert example.heat is not None
        assert (example.heat == 255).all()
    assert gallery.of("FAKE", errors=True)[0].predicted == "REAL"


def test_a_run_without_a_gallery_has_none(tmp_path: Path) -> None:
    assert read_gallery(tmp_path / "gallery.npz") is None


def test_a_damaged_gallery_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gallery.npz"
    path.write_bytes(b"PK no zip")
    with pytest.raises(StorageError, match=r"gallery\.npz'.*damaged"):
        read_gallery(path)
