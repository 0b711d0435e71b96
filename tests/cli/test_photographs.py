"""Photographs, which are larger than the images that most spaces are made for, and of many sizes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Run

pytestmark = pytest.mark.training

SIZES = ((512, 384), (512, 384), (384, 512), (300, 240), (40, 30))  # the last is made larger


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images of each class in train and as many in test, darker in one class."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for name, level in (("FAKE", 160), ("REAL", 90)):
            (folder / split / name).mkdir(parents=True)
            for number, (width, height) in enumerate(SIZES):
                pixels = rng.normal(level, 20, (height, width, 3)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.jpg")
    return folder


def head(tuner: Run, *arguments: object) -> dict[str, str]:
    """The head of a search: label -> text."""
    done = tuner("search", "--dry-run", "--max-trials", 1, "--max-epochs", 1, *arguments)
    assert done.code == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line[:1].isalpha()]
    return {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines}


def test_the_head_of_a_search_says_that_photographs_are_made_smaller(tuner: Run, photographs: Path) -> None:
    said = head(tuner, "--data", photographs)
    assert "64x64x3" in said["data"]
    for part in ("16 of 20", "512x384", "64x64", "--image-size 224"):
        assert part in said["images"]
    for part in ("4 of 20", "larger", "40x30"):
        assert part in said["images"]
    for part in ("20 of 20", "squeezed", "--resize pad"):
        assert part in said["images"]


def test_the_head_of_a_search_says_that_photographs_have_borders(tuner: Run, photographs: Path) -> None:
    said = head(tuner, "--data", photographs, "--resize", "pad")["images"]
    assert "borders" in said
    assert "--resize" not in said


def test_images_that_keep_their_pixels_are_no_matter(tuner: Run, images: Path) -> None:
    assert "images" not in head(tuner, "--data", images)


def test_a_space_made_for_larger_images_gets_them(tuner: Run, photographs: Path, tmp_path: Path) -> None:
    space = tmp_path / "mine.py"
    source = Path(__file__).parents[2] / "examples/my_space.py"
    space.write_text(source.read_text("utf-8") + "\nIMAGE_SIZE = 128\n", "utf-8")
    said = head(tuner, "--data", photographs, "--space", space)
    assert "128x128x3" in said["data"]
    assert "--image-size 224" in said["images"]
    assert "32x32x3" in head(tuner, "--data", photographs, "--space", space, "--image-size", 32)["data"]


def test_a_pretrained_network_trains_on_photographs_of_mixed_sizes(
    tuner: Run, photographs: Path, tmp_path: Path
) -> None:
    small = ("--hp", "backbone=mobilenetv2", "--hp", "alpha=0.35", "--batch-size", 4)
    request = ("--space", "transfer", "--weights", "none", "--image-size", 224, "--max-epochs", 1, *small)
    done = tuner("train", "--data", photographs, *request, "--name", "mixed")
    assert done.code == 0, done.stderr
    facts = json.loads((tmp_path / "results/mixed/run.json").read_text("utf-8"))
    assert facts["data"]["image_shape"] == [224, 224, 3]
    assert facts["data"]["resized"] == {
        "smaller": {"num_images": 16, "width": 512, "height": 384},
        "larger": {"num_images": 4, "width": 40, "height": 30},
    }
    figures = json.loads((tmp_path / "results/mixed/best/evaluation.json").read_text("utf-8"))
    assert figures["images"] == 10
    assert tuner("report").code == 0
    assert "16 images, most from 512 x 384 pixels" in (tmp_path / "results/mixed/report.html").read_text(
        "utf-8"
    )


TOO_DEEP = """
import keras

def build(hp):
    model = keras.Sequential([keras.layers.Rescaling(1 / 255)])
    for _ in range(hp.Choice("blocks", [4, 5])):
        model.add(keras.layers.Conv2D(4, 3, activation="relu"))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
APPLICATION = """
import keras

def build(hp, spec):
    network = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=spec.image_shape)
    raise AssertionError("it needs 32 pixels")
"""


@pytest.mark.parametrize("source", [TOO_DEEP, APPLICATION])
def test_images_too_small_for_a_model_are_refused_with_the_way_out(
    source: str, tuner: Run, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "deep.py").write_text(source, "utf-8")
    done = tuner("search", "--space", "deep.py", "--data", images, "--quiet")
    assert done.code == 2
    (line,) = done.error_lines
    for part in ("8x8", "--image-size"):
        assert part in line
    assert "Exception encountered" not in line


def test_images_of_one_pixel_are_said_to_be_made_larger(tuner: Run, tmp_path: Path) -> None:
    for number, name in enumerate(("FAKE", "REAL")):
        (tmp_path / "dots" / name).mkdir(parents=True)
        for level in range(20):
            dot = Image.new("RGB", (1, 1), (level, 2 * level, 200 * number))
            dot.save(tmp_path / "dots" / name / f"{level}.png")
    said = head(tuner, "--data", tmp_path / "dots")
    assert "8x8x3" in said["data"]
    for part in ("all", "larger", "1x1"):
        assert part in said["images"]
