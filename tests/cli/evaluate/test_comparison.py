"""`tuner evaluate --compare`: two models on the same images."""

import json
import shutil

import pytest

from tests.cli.evaluate.reading import as_json

pytestmark = pytest.mark.training


def test_two_models_are_compared_on_the_same_images(at, images, searched):
    found = as_json(at("evaluate", "first", "--data", images, "--compare", "second", "--format", "json"))
    comparison = found["comparison"]
    second = json.loads((searched / "results/second/best/evaluation.json").read_text())
    assert comparison["accuracy"] == pytest.approx(second["accuracy"])
    difference = comparison["only_this_right"] - comparison["only_other_right"]
    assert difference == found["correct"] - second["correct"]
    assert ("no difference to be seen, p = " in comparison["verdict"]) == (comparison["p_value"] >= 0.05)


def test_a_model_compared_with_itself_shows_no_difference(at, images):
    result = at("evaluate", "first", "--data", images, "--compare", "model.keras")
    assert "first and model.keras: no difference to be seen, p = 1.00" in result.stdout


def test_predictions_are_compared_without_a_model(at, searched):
    first, second = (searched / f"results/{name}/best/predictions.csv" for name in ("first", "second"))
    with_files = as_json(at("evaluate", "--predictions", first, "--compare", second, "--format", "json"))
    assert with_files["comparison"]["other"] == str(second)
    assert "McNemar" in with_files["comparison"]["test"]


def test_a_model_whose_training_saw_the_images_is_warned_of_when_compared(at, images, tmp_path):
    shutil.copytree(images / "train", tmp_path / "unsplit")
    for name, seed in (("one", 0), ("two", 1)):
        options = ("--data", tmp_path / "unsplit", "--max-epochs", 1, "--seed", seed, "--quiet")
        space = ("--space", "sequential", "--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")
        assert at("train", *space, *options, "--name", name, "--results-dir", tmp_path).code == 0
    result = at("evaluate", tmp_path / "one", "--data", tmp_path / "unsplit", "--compare", tmp_path / "two")
    assert result.code == 0, result.stderr
    assert "the test split, carved by the search of the model" in result.stderr
    assert f"were in the training or validation of {tmp_path / 'two'}" in result.stderr
