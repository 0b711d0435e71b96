"""Models on data sets from Python, without a command."""

import shutil

import pytest

from tests.cli.conftest import write_images
from tests.cli.evaluate.reading import save_by_brightness
from tuner.errors import UsageError
from tuner.evaluation.model_evaluation import EvaluationRequest, evaluate_models, evaluate_predictions
from tuner.models.loading import describe_model
from tuner.tuning.events import Busy, BusyEnded, Note

# Nothing is trained, but Keras is loaded.
pytestmark = pytest.mark.training


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Two models, low and high, beside the data set tiny."""
    monkeypatch.setenv("TUNER_CACHE_DIR", str(tmp_path / "cache"))
    write_images(tmp_path / "tiny", count=10)
    for name, bound in (("low", 120), ("high", 160)):
        save_by_brightness(tmp_path / f"{name}.keras", bound)
    return [describe_model(str(tmp_path / f"{name}.keras"), tmp_path) for name in ("low", "high")]


def test_a_comparison_is_part_of_the_result(models, tmp_path):
    low, high = models
    heard = []
    request = EvaluationRequest(compare=high)
    (result,) = evaluate_models([low], [str(tmp_path / "tiny")], request, heard.append)
    (alone,) = evaluate_models([high], [str(tmp_path / "tiny")], EvaluationRequest())
    assert result.evaluation["comparison"]["accuracy"] == alone.evaluation["accuracy"]
    assert result.images.split == "test"
    assert {Note, Busy, BusyEnded} <= {type(event) for event in heard}
    assert sum(isinstance(event, Busy) for event in heard) == sum(isinstance(e, BusyEnded) for e in heard)


def test_a_model_of_no_run_needs_data(models):
    with pytest.raises(UsageError, match="--data"):
        evaluate_models(models[:1], [], EvaluationRequest())


def test_a_result_writes_its_files(models, tmp_path):
    (result,) = evaluate_models(models[:1], [str(tmp_path / "tiny")], EvaluationRequest(limit=6))
    names = result.write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(names)


def test_each_group_has_figures_that_the_file_of_predictions_gives_again(models, tmp_path):
    data, noise = tmp_path / "grouped", tmp_path / "tiny" / "train"
    for source, target in (("FAKE", "FAKE/sd15"), ("REAL", "FAKE/mj"), ("REAL", "REAL/coco")):
        shutil.copytree(noise / source, data / target)
    (result,) = evaluate_models(models[:1], [str(data)], EvaluationRequest())
    groups = result.evaluation["groups"]
    assert {name: each["images"] for name, each in groups.items()} == {"coco": 10, "mj": 10, "sd15": 10}
    right = sum(each["accuracy"] * each["images"] for each in groups.values())
    assert right == pytest.approx(result.evaluation["accuracy"] * 30)
    result.write(tmp_path / "out")
    again = evaluate_predictions(tmp_path / "out" / "predictions.csv", EvaluationRequest())
    assert again.evaluation["groups"] == groups
