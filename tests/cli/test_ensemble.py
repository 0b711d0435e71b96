"""`tuner best --ensemble`: the mean of the best trials as one model, beside the best of them alone."""

import io
import json
import math
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search_spaces import DataSpec
from tests.cli.conftest import SIDE, Finished, Run, run_command
from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions
from tuner.results.query import open_run
from tuner.spaces.hypermodel import SpaceHyperModel

pytestmark = pytest.mark.training

RUN = Path("results/first")


@pytest.fixture(scope="module")
def with_ensemble(tmp_path_factory: pytest.TempPathFactory, finished: Finished, cache: Path) -> Path:
    """A folder with results/first and its ensemble of two."""
    folder = tmp_path_factory.mktemp("ensemble")
    shutil.copytree(finished.folder / "results", folder / "results")
    result = run_command("best", "--ensemble", 2, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr
    return folder


@pytest.fixture
def made(with_ensemble: Path, tmp_path: Path) -> Path:
    """A folder of its own with the same."""
    shutil.copytree(with_ensemble / "results", tmp_path / "results")
    return tmp_path


def probabilities(table: pd.DataFrame) -> np.ndarray:
    return table[["p.FAKE", "p.REAL"]].to_numpy()


def mcnemar_by_hand(first: pd.DataFrame, second: pd.DataFrame) -> tuple[int, int, float]:
    """Images that one alone has right, and the two-sided probability of such a difference, summed exactly."""
    both = first.merge(second, on=["path", "label"], suffixes=("", "_other"), validate="one_to_one")
    right, other = both["predicted"] == both["label"], both["predicted_other"] == both["label"]
    mine, others = int((right & ~other).sum()), int((~right & other).sum())
    assert mine + others < 25
    tail = sum(math.comb(mine + others, k) for k in range(min(mine, others) + 1)) / 2 ** (mine + others)
    return mine, others, min(1.0, 2 * tail)


def test_its_probabilities_are_the_mean_of_its_members(tuner: Run, copy_of_finished, images):
    from tuner.training.build import probabilities as of_outputs
    from tuner.training.trial import restore_winner

    result = tuner("best", "--ensemble", 3)
    assert result.code == 0, result.stderr
    table = pd.read_csv(copy_of_finished / RUN / "ensemble-3" / "predictions.csv")
    dataset = load_dataset(str(images), DataOptions(image_size=SIDE))
    space = SpaceHyperModel("sequential", DataSpec(dataset.image_shape, 2))
    test = dataset.images[dataset.splits["test"]]
    found = []
    for trial in open_run(copy_of_finished / RUN).ranked[:3]:
        folder = copy_of_finished / RUN / "checkpoints" / trial.trial_id
        model = restore_winner(space, trial.values, folder, dataset)
        found.append(of_outputs(model, np.asarray(model(test))))
    np.testing.assert_allclose(probabilities(table), np.mean(found, axis=0), atol=1e-5)
    assert list(table["path"]) == [dataset.paths[i] for i in dataset.splits["test"]]


def test_it_is_shown_with_the_test_against_the_best_alone_and_says_what_to_use(tuner: Run, made):
    result = tuner("best", "--ensemble", 2)
    evaluation = json.loads((made / RUN / "ensemble-2" / "evaluation.json").read_text("utf-8"))
    first = pd.read_csv(made / RUN / "ensemble-2" / "predictions.csv")
    single = pd.read_csv(made / RUN / "best" / "predictions.csv")
    mine, others, p_value = mcnemar_by_hand(first, single)
    comparison = evaluation["comparison"]
    assert (comparison["only_this_right"], comparison["only_other_right"]) == (mine, others)
    assert comparison["p_value"] == pytest.approx(p_value)
    shown = " ".join(result.stdout.split())
    assert comparison["conclusion"] in shown
    if p_value >= 0.05:
        assert "single" in comparison["conclusion"]
    assert evaluation["at_threshold"]["source"] == "validation"
    assert len(pd.read_csv(made / RUN / "ensemble-2" / "validation_predictions.csv")) > 0


def test_it_is_made_once(tuner: Run, made):
    model = made / RUN / "ensemble-2" / "model.keras"
    written = model.stat().st_mtime_ns
    again = tuner("best", "--ensemble", 2, "--format", "json")
    assert again.code == 0
    assert model.stat().st_mtime_ns == written
    facts = json.loads(again.stdout)
    assert [member["trial_id"] for member in facts["members"]] == [
        member["trial_id"]
        for member in json.loads((model.with_name("evaluation.json")).read_text("utf-8"))["members"]
    ]


@pytest.mark.parametrize("target", ["model.keras", "model.tflite", "model"])
def test_it_is_one_file_with_parity_card_and_facts(tuner: Run, made, images, target):
    result = tuner("best", "--ensemble", 2, "--export", target)
    assert result.code == 0, result.stderr
    assert any(line.startswith("Parity") for line in result.error_lines)
    card = (made / "model.md").read_text("utf-8")
    evaluation = json.loads((made / RUN / "ensemble-2" / "evaluation.json").read_text("utf-8"))
    members = [member["trial_id"] for member in evaluation["members"]]
    assert f"trials {', '.join(members)}" in card
    assert "same images" in card
    shown = tuner("evaluate", target, "--data", images, "--format", "json", "--trust")
    assert shown.code == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["confusion_matrix"] == evaluation["confusion_matrix"]
    assert found["at_threshold"]["threshold"] == evaluation["at_threshold"]["threshold"]


def test_its_file_loads_without_this_program_and_takes_raw_pixels(tuner: Run, made, images):
    import keras

    tuner("best", "--ensemble", 2, "--export", "model.keras")
    model = keras.models.load_model(made / "model.keras")
    dataset = load_dataset(str(images), DataOptions(image_size=SIDE))
    found = model.predict(dataset.images[dataset.splits["test"]], verbose=0)
    table = pd.read_csv(made / RUN / "ensemble-2" / "predictions.csv")
    np.testing.assert_allclose(found[:, 0], table["p.REAL"], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--ensemble", 4), 1, "2 to 3"),
        (("--ensemble", 1), 2, "--ensemble"),
        (("--ensemble", 2, "--seeds", 2), 2, "--seeds"),
        (("--ensemble", 2, "--calibrated", "--export", "model.keras"), 2, "ensemble"),
    ],
)
@pytest.mark.usefixtures("copy_of_finished")
def test_what_makes_no_sense_is_refused(tuner: Run, arguments, code, words):
    result = tuner("best", *arguments)
    assert result.code == code, result.stderr
    assert result.stdout == ""
    assert len(result.error_lines) == 1, result.stderr
    assert words in result.error_lines[0]


def test_weights_that_are_not_kept_are_counted(tuner: Run, copy_of_finished):
    third = open_run(copy_of_finished / RUN).ranked[2]
    shutil.rmtree(copy_of_finished / RUN / "checkpoints" / third.trial_id)
    result = tuner("best", "--ensemble", 3)
    assert result.code == 1
    assert "best 2." in result.error_lines[0]
    assert "Allowed: 2." in result.error_lines[0]


def test_its_model_is_evaluated_and_predicts_with_what_the_run_around_it_knows(tuner: Run, made, images):
    model = RUN / "ensemble-2" / "model.keras"
    before = json.loads((made / RUN / "ensemble-2" / "evaluation.json").read_text("utf-8"))
    shown = tuner("evaluate", model, "--format", "json")
    assert shown.code == 0, shown.stderr
    found = json.loads(shown.stdout)
    assert found["split"] == "test"
    assert found["confusion_matrix"] == before["confusion_matrix"]
    assert found["at_threshold"]["threshold"] == before["at_threshold"]["threshold"]
    table = pd.read_csv(made / RUN / "ensemble-2" / "predictions.csv")
    named = [images / path for path in table["path"]]
    predicted = tuner("predict", model, *named, "--format", "csv")
    assert predicted.code == 0, predicted.stderr
    (threshold,) = [line for line in predicted.error_lines if line.startswith("Threshold")]
    assert f"{before['at_threshold']['threshold']:.4f} on p.FAKE" in threshold
    np.testing.assert_allclose(
        probabilities(pd.read_csv(io.StringIO(predicted.stdout))), probabilities(table), atol=1e-4
    )


@pytest.mark.skipif(not find_spec("tf2onnx"), reason="the extra onnx is not installed")
def test_as_onnx_it_says_the_same_and_of_whom_it_is_made(tuner: Run, made, images):
    result = tuner("best", "--ensemble", 2, "--export", "model.onnx")
    assert result.code == 0, result.stderr
    assert any(line.startswith("Parity") for line in result.error_lines)
    before = json.loads((made / RUN / "ensemble-2" / "evaluation.json").read_text("utf-8"))
    members = [member["trial_id"] for member in before["members"]]
    assert f"trials {', '.join(members)}" in (made / "model.md").read_text("utf-8")
    shown = tuner("evaluate", "model.onnx", "--data", images, "--format", "json")
    found = json.loads(shown.stdout)
    assert found["confusion_matrix"] == before["confusion_matrix"]
    assert found["at_threshold"]["threshold"] == before["at_threshold"]["threshold"]


def test_a_model_without_its_evaluation_is_refused(tuner: Run, made):
    (made / RUN / "ensemble-2" / "evaluation.json").unlink()
    result = tuner("evaluate", RUN / "ensemble-2" / "model.keras")
    assert result.code == 2
    assert len(result.error_lines) == 1
    assert "ensemble-2" in result.error_lines[0]
