"""`tuner evaluate` on images, and of models, that come from elsewhere."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import write_images
from tests.cli.evaluate.reading import as_json, save

pytestmark = pytest.mark.training


def test_classes_of_other_names_are_mapped_and_all_images_taken_where_there_is_no_split(at, elsewhere):
    arguments = ("evaluate", "model.keras", "--data", elsewhere, "--map", "FAKE=generated,REAL=photo")
    result = at(*arguments, "--format", "json")
    found = as_json(result)
    assert (found["images"], found["split"]) == (60, "all")
    assert found["classes_of_data"] == {"generated": "FAKE", "photo": "REAL"}
    assert found["class_names"] == ["FAKE", "REAL"]
    assert any("all images" in line and "no test split" in line for line in result.error_lines)
    assert "generated is FAKE" in result.stderr
    assert "photo is REAL" in result.stderr


def test_classes_in_other_capitals_are_the_same(at, elsewhere, tmp_path):
    shutil.copytree(elsewhere / "generated", tmp_path / "data" / "fake")
    shutil.copytree(elsewhere / "photo", tmp_path / "data" / "Real")
    result = at("evaluate", "model.keras", "--data", tmp_path / "data", "--format", "json")
    assert as_json(result)["classes_of_data"] == {"Real": "REAL", "fake": "FAKE"}
    assert "fake is FAKE" in result.stderr


def test_several_classes_of_the_data_can_be_one_of_the_model(at, elsewhere, tmp_path):
    for name, source, ending in (
        ("old", "generated", "[0-4].png"),
        ("new", "generated", "[5-9].png"),
        ("REAL", "photo", ".png"),
    ):
        (tmp_path / "data" / name).mkdir(parents=True)
        for path in (elsewhere / source).glob(f"*{ending}"):
            shutil.copy(path, tmp_path / "data" / name)
    arguments = (
        "evaluate",
        "model.keras",
        "--data",
        tmp_path / "data",
        "--map",
        "FAKE=old",
        "--map",
        "FAKE=new",
    )
    found = as_json(at(*arguments, "--format", "json"))
    assert found["classes"]["FAKE"]["images"] == 30
    assert found["classes"]["REAL"]["images"] == 30
    assert found["classes_of_data"] == {"REAL": "REAL", "new": "FAKE", "old": "FAKE"}


def test_images_of_another_size_and_grey_ones_are_made_what_the_model_takes(at, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("FAKE", "REAL"):
        (tmp_path / "grey" / name).mkdir(parents=True)
        for i in range(5):
            pixels = rng.integers(0, 255, (20, 30), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "grey" / name / f"{i}.png")
    assert as_json(at("evaluate", "first", "--data", tmp_path / "grey", "--format", "json"))["images"] == 10


def test_a_model_made_elsewhere_needs_the_names_of_its_classes(at, elsewhere, tmp_path):
    path = save(tmp_path / "own.keras", outputs=2, activation="softmax")
    refused = at("evaluate", path, "--data", elsewhere)
    assert refused.code == 2
    assert "--classes" in refused.stderr
    found = as_json(
        at("evaluate", path, "--data", elsewhere, "--classes", "photo,generated", "--format", "json")
    )
    assert found["class_names"] == ["photo", "generated"]
    assert found["positive_class"] == "generated"
    assert "at_threshold" not in found


def test_a_model_of_three_classes_is_judged_one_against_the_rest(at, tmp_path):
    path = save(tmp_path / "three.keras", outputs=3, activation="softmax")
    write_images(tmp_path / "data", ("ant", "bee", "cat"), count=10)
    arguments = ("evaluate", path, "--data", tmp_path / "data", "--classes", "ant,bee,cat")
    found = as_json(at(*arguments, "--format", "json"))
    assert set(found["one_vs_rest"]) == {"ant", "bee", "cat"}
    shown = at(*arguments)
    assert "class against the rest" in shown.stdout
    low, high = found["macro"]["auroc_interval_95"]
    rates = [f"{point['tpr']:.4f}" for point in found["macro"]["tpr_at_fpr"]]
    (mean,) = [line for line in shown.stdout.splitlines() if line.startswith("mean") and "[" in line]
    assert f"[{low:.4f}, {high:.4f}]" in mean
    assert mean.split()[-2:] == rates
    assert f"auroc,macro,,{found['macro']['auroc']},{low},{high}" in at(*arguments, "--format", "csv").stdout
    assert as_json(at(*arguments, "--format", "json"))["images"] == 15
