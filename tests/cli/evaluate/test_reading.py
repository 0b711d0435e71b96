"""`tuner evaluate` on images that are read as the user or the run says."""

import numpy as np
import pytest

from tests.cli.conftest import SIDE
from tests.cli.evaluate.reading import as_json, save_by_brightness, train_untrained

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def folder(tmp_path_factory, cache):
    """A model, arrays of two brightnesses whose channels may be first or last, and a run on them."""
    folder = tmp_path_factory.mktemp("arrays")
    save_by_brightness(folder / "model.keras", 120)
    labels = np.arange(60) % 2
    noise = np.random.default_rng(0).integers(0, 100, (60, 3, SIDE, 3))
    images = (noise + labels[:, None, None, None] * 150).astype(np.uint8)
    np.savez(folder / "d.npz", images=images, labels=labels, class_names=["FAKE", "REAL"])
    train_untrained(folder, cache, "--name", "mine", "--data", "d.npz", "--data-format", "channels_last")
    return folder


def test_an_option_on_reading_counts_for_the_data(tuner, folder):
    refused = tuner("evaluate", "model.keras", "--data", "d.npz", cwd=folder)
    assert refused.code == 2
    assert "--data-format" in refused.error_lines[-1]
    given = ("--data", "d.npz", "--data-format", "channels_last", "--format", "json")
    found = as_json(tuner("evaluate", "model.keras", *given, cwd=folder))
    assert (found["images"], found["accuracy"]) == (60, 1)


@pytest.mark.parametrize("given", [(), ("--data", "d.npz")])
def test_a_run_reads_its_own_data_as_it_did(tuner, folder, given):
    found = as_json(tuner("evaluate", "mine", *given, "--format", "json", cwd=folder))
    assert (found["split"], found["seen_in_training"]) == ("test", 0)


def test_notes_on_the_data_are_said(tuner, folder, tmp_path):
    with np.load(folder / "d.npz") as arrays:
        floats = np.repeat(arrays["images"].transpose(0, 3, 1, 2), 3, axis=2) / 255
        np.savez(tmp_path / "f.npz", x=floats, y=np.eye(2)[arrays["labels"]], classes=arrays["class_names"])
    result = tuner("evaluate", "model.keras", "--data", tmp_path / "f.npz", "--format", "json", cwd=folder)
    assert as_json(result)["accuracy"] == 1
    assert [word for word in ("channels of x", "0..1 becomes 0..255") if word not in result.stderr] == []


def test_an_option_on_reading_is_refused_beside_predictions(tuner, folder):
    result = tuner("evaluate", "--predictions", "p.csv", "--label-column", "species", cwd=folder)
    assert result.code == 2
    assert "--label-column" in result.error_lines[-1]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("0_real", "1_fake"), "--map REAL=0_real,FAKE=1_fake"),
        (("Deepfakes", "nature"), "--map FAKE=Deepfakes,REAL=nature"),
        (("midjourney", "photo"), "--map MODEL=midjourney,REAL=photo"),
        (("cat", "dog"), "--map MODEL=cat,MODEL=dog"),
    ],
)
def test_classes_are_paired_by_the_meaning_of_their_names_alone(tuner, folder, tmp_path, names, words):
    x = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    np.savez(tmp_path / "d.npz", x=x, y=[0, 1, 0, 1], class_names=names)
    result = tuner("evaluate", "model.keras", "--data", tmp_path / "d.npz", cwd=folder)
    assert result.code == 2
    assert words in result.error_lines[-1]
