"""`tuner evaluate`: a model that was searched here, on the images of its search."""

import csv
import io
import json
import shutil

import pandas as pd
import pytest

from tests.cli.conftest import SIDE
from tests.cli.evaluate.reading import as_json

pytestmark = pytest.mark.training

HEAD = ("run_id", "trial_id", "split", "prediction_s")


def figures(evaluation):
    """Without what says of which model and images it is, and what is true of the images alone."""
    head = (*HEAD, "model", "data", "data_fingerprint", "classes_of_data", "seen_in_training", "comparison")
    others = (*head, "predictions", "chosen_in", "shortcuts", "files", "checksum")
    return {name: value for name, value in evaluation.items() if name not in others}


def close(first, second):
    """Whether figures are the same, but for what different ways of computing a network leave."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(close(first[name], second[name]) for name in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(close, first, second))
    return first == (pytest.approx(second, abs=1e-4) if isinstance(second, float) else second)


def test_the_end_of_a_search_chooses_on_validation_and_keeps_what_it_chose_from(searched):
    best = searched / "results/first/best"
    evaluation = json.loads((best / "evaluation.json").read_text())
    validation = pd.read_csv(best / "validation_predictions.csv")
    assert {path.split("/")[0] for path in validation["path"]} == {"train"}
    threshold = evaluation["at_threshold"]["threshold"]

    def balanced(limit):
        fake = validation["p.FAKE"] >= limit
        return (
            fake[validation["label"] == "FAKE"].mean() + (~fake)[validation["label"] == "REAL"].mean()
        ) / 2

    assert all(balanced(threshold) >= balanced(score) - 1e-12 for score in validation["p.FAKE"])
    assert evaluation["at_threshold"]["source"] == "validation"
    assert evaluation["calibrated"]["temperature"] > 0


def test_an_export_carries_what_was_chosen(searched):
    beside = json.loads((searched / "model.json").read_text())
    evaluation = json.loads((searched / "results/first/best/evaluation.json").read_text())
    assert beside["threshold"] == evaluation["at_threshold"]["threshold"]
    assert beside["temperature"] == evaluation["calibrated"]["temperature"]
    assert beside["image_shape"] == [SIDE, SIDE, 3]


@pytest.mark.parametrize("model", ["first", "results/first", "results/first/best/model.keras", "model.keras"])
def test_on_its_own_data_a_model_has_the_figures_of_its_search(at, searched, images, model):
    found = as_json(at("evaluate", model, "--data", images, "--format", "json"))
    before = json.loads((searched / "results/first/best/evaluation.json").read_text())
    assert found["split"] == "test"
    assert found["seen_in_training"] == 0
    assert close(figures(found), figures(before))


def test_every_figure_is_computed_again_from_the_predictions(at, images, tmp_path):
    out = tmp_path / "out"
    found = as_json(at("evaluate", "first", "--data", images, "--out", out, "--format", "json"))
    again = as_json(at("evaluate", "--predictions", out / "predictions.csv", "--format", "json"))
    assert figures(again) == figures(found)
    assert figures(json.loads((out / "evaluation.json").read_text())) == figures(found)


def test_the_predictions_of_a_search_can_be_evaluated_too(at, searched):
    best = searched / "results/first/best"
    again = as_json(at("evaluate", "--predictions", best / "predictions.csv", "--format", "json"))
    assert figures(again) == figures(json.loads((best / "evaluation.json").read_text()))


def test_a_threshold_is_not_taken_for_the_images_that_chose_it(at, searched):
    path = searched / "results/first/best/validation_predictions.csv"
    result = at("evaluate", "--predictions", path, "--format", "json")
    assert "at_threshold" not in as_json(result)
    assert "--threshold gives one" in result.stderr


def test_predictions_alone_take_a_threshold_that_is_given(at, searched, tmp_path):
    shutil.copy(searched / "results/first/best/predictions.csv", tmp_path / "p.csv")
    found = as_json(
        at("evaluate", "--predictions", tmp_path / "p.csv", "--threshold", 0.0, "--format", "json")
    )
    assert found["at_threshold"]["source"] == "given"
    assert found["at_threshold"]["confusion_matrix"] == [[30, 0], [30, 0]]


def test_another_positive_class_mirrors_the_threshold(at, searched):
    path = searched / "results/first/best/predictions.csv"
    fake, real = (
        as_json(at("evaluate", "--predictions", path, "--positive", name, "--format", "json"))
        for name in ("FAKE", "REAL")
    )
    assert real["positive_class"] == "REAL"
    assert real["at_threshold"]["confusion_matrix"] == fake["at_threshold"]["confusion_matrix"]
    assert real["at_threshold"]["threshold"] == pytest.approx(1 - fake["at_threshold"]["threshold"])


def test_images_that_training_has_seen_are_warned_of(at, images):
    result = at("evaluate", "first", "--data", images, "--split", "all", "--quiet", "--format", "json")
    assert as_json(result)["seen_in_training"] == 120
    (warning,) = [line for line in result.error_lines if "training or validation" in line]
    assert all(word in warning for word in ("Warning: ", "120 of 180 images", "first"))


def test_a_sample_keeps_the_shares_of_the_classes(at, images):
    found = as_json(at("evaluate", "first", "--data", images, "--limit", 20, "--format", "json"))
    assert {name: values["images"] for name, values in found["classes"].items()} == {"FAKE": 10, "REAL": 10}


def test_a_table_says_what_the_figures_are_and_what_they_rest_on(at, images):
    shown = at("evaluate", "first", "--data", images).stdout
    for words in (
        "at 95 %",
        "AUROC",
        "EER",
        "Brier",
        "ECE",
        "at temperature",
        "chosen on validation",
        "predicted",
    ):
        assert words in shown
    flat = " ".join(shown.split())
    assert "0.1%" in flat
    assert "of 30 negatives" in flat


def test_csv_has_a_row_for_each_figure(at, images):
    result = at("evaluate", "first", "--data", images, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {"auroc", "eer", "tpr", "log_loss", "brier", "ece", "accuracy"} <= {row["figure"] for row in rows}
    accuracy = next(row for row in rows if row["figure"] == "accuracy")
    assert float(accuracy["low_95"]) <= float(accuracy["value"]) <= float(accuracy["high_95"])


def test_without_out_nothing_is_written(at, images, searched):
    before = sorted(searched.rglob("*"))
    assert at("evaluate", "first", "--data", images).code == 0
    assert sorted(searched.rglob("*")) == before


def test_results_are_never_overwritten(at, images, tmp_path):
    (tmp_path / "predictions.csv").write_text("mine")
    result = at("evaluate", "first", "--data", images, "--out", tmp_path)
    assert result.code == 2
    assert "predictions.csv" in result.error_lines[-1]
    assert (tmp_path / "predictions.csv").read_text() == "mine"
