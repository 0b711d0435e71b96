"""`tuner evaluate --compare`: two models on the same images."""

import json
import shutil

import pytest

from tests.cli.evaluate.reading import as_json, save_by_brightness, train_untrained

pytestmark = pytest.mark.training


def test_two_models_are_compared_on_the_same_images(at, images, searched):
    found = as_json(at("evaluate", "first", "--data", images, "--compare", "second", "--format", "json"))
    comparison = found["comparison"]
    second = json.loads((searched / "results/second/best/evaluation.json").read_text())
    assert comparison["accuracy"] == pytest.approx(second["accuracy"])
    difference = comparison["only_this_right"] - comparison["only_other_right"]
    assert difference == found["correct"] - second["correct"]
    assert ("no difference" in comparison["verdict"]) == (comparison["p_value"] >= 0.05)


def test_a_model_compared_with_itself_shows_no_difference(at, images):
    result = at("evaluate", "first", "--data", images, "--compare", "model.keras")
    (verdict,) = [line for line in result.stdout.splitlines() if "no difference" in line]
    assert all(word in verdict for word in ("first", "model.keras", "p = 1.00"))


def test_predictions_are_compared_without_a_model(at, searched):
    first, second = (searched / f"results/{name}/best/predictions.csv" for name in ("first", "second"))
    with_files = as_json(at("evaluate", "--predictions", first, "--compare", second, "--format", "json"))
    assert with_files["comparison"]["other"] == str(second)
    assert "McNemar" in with_files["comparison"]["test"]


def test_a_model_whose_training_saw_the_images_is_warned_of_when_compared(at, images, cache, tmp_path):
    """Seeds 0 and 1 carve different test splits."""
    unsplit = shutil.copytree(images / "train", tmp_path / "unsplit")
    train_untrained(tmp_path, cache, "--name", "one", "--data", unsplit, "--seed", 1)
    save_by_brightness(tmp_path / "other.keras", 120, unsplit)
    one = tmp_path / "results" / "one"
    result = at("evaluate", one, "--data", unsplit, "--compare", tmp_path / "other.keras")
    assert result.code == 0, result.stderr
    (split,) = [line for line in result.error_lines if "test split" in line]
    assert "carved by the search" in split
    (warning,) = [line for line in result.error_lines if "training or validation" in line]
    assert str(tmp_path / "other.keras") in warning
