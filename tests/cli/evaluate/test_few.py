"""`tuner evaluate` on images of one class or very few, and against a model whose classes have other names."""

import csv
import io
import json
import shutil

import numpy as np
import pytest

from tests.cli.conftest import write_images
from tests.cli.evaluate.reading import as_json, save_by_brightness
from tuner.evaluation.predictions import Predictions, write_predictions

# Nothing is trained, but Keras is loaded.
pytestmark = pytest.mark.training

MAP = ("--map", "FAKE=generated,REAL=photo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, images):
    """Models low.keras and high.keras, and the data set tiny, which neither knows."""
    folder = tmp_path_factory.mktemp("models")
    save_by_brightness(folder / "low.keras", 120)
    save_by_brightness(folder / "high.keras", 160)
    shutil.copytree(images, folder / "tiny")
    return folder


@pytest.fixture
def by_hand(tuner, folder):
    """Run `tuner` where the models are."""

    def run(*arguments):
        return tuner(*arguments, cwd=folder)

    return run


@pytest.fixture
def fakes(elsewhere, tmp_path):
    """Images of a new generator, and two images of either class."""
    shutil.copytree(elsewhere / "generated", tmp_path / "fakes" / "FAKE")
    for name in ("generated", "photo"):
        (tmp_path / "few" / name).mkdir(parents=True)
        for i in range(2):
            shutil.copy(elsewhere / name / f"00{i}.png", tmp_path / "few" / name)
    return tmp_path


@pytest.mark.usefixtures("short_suite")
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_images_of_one_class_alone_are_evaluated(by_hand, fakes, form):
    out = fakes / "out"
    arguments = ("--data", fakes / "fakes", "--robustness", "--format", form, "--out", out)
    result = by_hand("evaluate", "low.keras", *arguments)
    assert result.code == 0, result.stderr
    assert "nan" not in result.stdout.lower()
    found = json.loads((out / "evaluation.json").read_text())
    assert (found["images"], found["auroc"], found["seen_in_training"]) == (30, None, None)
    assert found["classes"]["REAL"]["recall"] is None
    if form == "table":
        headline = " ".join(result.stdout.split("\n\n")[0].split())
        assert headline.endswith("(positive class FAKE), 30 images")
        assert "AUROC" not in headline
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert not [row for row in rows if row["figure"] == "auroc"]
        assert not [row for row in rows if (row["figure"], row["class"]) == ("recall", "REAL")]


def test_one_class_and_very_few_images_have_their_cells_in_a_matrix(by_hand, fakes):
    pairs = ("low.keras", "high.keras", "--data", fakes / "fakes", "--data", fakes / "few", *MAP)
    rows = as_json(by_hand("evaluate", *pairs, "--format", "json"))
    assert [(row["images"], row["auroc"] is None, row["seen"]) for row in rows] == [
        (30, True, None),
        (4, False, None),
    ] * 2
    shown = by_hand("evaluate", *pairs).stdout
    assert " - " in shown.split("AUROC")[1]
    assert "nan" not in shown
    assert by_hand("evaluate", *pairs, "--format", "csv").stdout.splitlines()[1].split(",")[5] == ""


def test_a_split_that_few_images_have_not_room_for_is_refused_with_the_reason(by_hand, fakes):
    result = by_hand("evaluate", "low.keras", "--data", fakes / "few", *MAP, "--split", "test")
    assert result.code == 2
    (line,) = [line for line in result.error_lines if line.startswith("error: ")]
    assert all(word in line for word in (str(fakes / "few"), "'generated'", "too few"))


def test_an_official_test_split_needs_no_room_for_others(by_hand, fakes):
    for split in ("train", "test"):
        shutil.copytree(fakes / "few", fakes / "official" / split)
    found = as_json(by_hand("evaluate", "low.keras", "--data", fakes / "official", *MAP, "--format", "json"))
    assert (found["images"], found["split"]) == (4, "test")


def test_a_test_image_whose_copy_was_trained_on_counts_as_seen(by_hand, images, tmp_path):
    shutil.copytree(images, tmp_path / "tiny")
    shutil.copy(images / "train" / "FAKE" / "000.png", tmp_path / "tiny" / "test" / "FAKE" / "copy.png")
    save_by_brightness(tmp_path / "own.keras", 120, tmp_path / "tiny")
    result = by_hand("evaluate", tmp_path / "own.keras", "--data", tmp_path / "tiny", "--format", "json")
    assert as_json(result)["seen_in_training"] == 1
    (warning,) = [line for line in result.error_lines if "training or validation" in line]
    assert "1 of 61 images" in warning


def test_a_model_whose_classes_have_other_names_is_compared(by_hand, tmp_path):
    save_by_brightness(tmp_path / "ai.keras", 160, names=("ai", "photo"))
    pairs = ("--map", "ai=FAKE,photo=REAL")
    compared = ("--data", "tiny", "--compare", tmp_path / "ai.keras")
    found = as_json(by_hand("evaluate", "low.keras", *compared, *pairs, "--format", "json"))
    alike = as_json(by_hand("evaluate", "low.keras", *compared[:3], "high.keras", "--format", "json"))
    names = ("accuracy", "only_this_right", "only_other_right", "p_value")
    assert [found["comparison"][name] for name in names] == [alike["comparison"][name] for name in names]
    refused = by_hand("evaluate", "low.keras", *compared, "--map", "ai=FAKE,human=REAL")
    assert refused.code == 2
    (line,) = [line for line in refused.error_lines if line.startswith("error: ")]
    assert "--map human=REAL" in line


def test_csv_has_the_comparison_too(by_hand):
    arguments = ("evaluate", "low.keras", "--data", "tiny", "--compare", "high.keras", "--format")
    found = as_json(by_hand(*arguments, "json"))["comparison"]
    rows = {row["figure"]: row for row in csv.DictReader(io.StringIO(by_hand(*arguments, "csv").stdout))}
    assert rows["mcnemar_p_value"]["at"] == "against high.keras"
    for figure, name in (("mcnemar_p_value", "p_value"), ("other_accuracy", "accuracy")):
        assert float(rows[figure]["value"]) == found[name]
    bounds = [float(rows["other_accuracy"][name]) for name in ("low_95", "high_95")]
    assert bounds == found["accuracy_interval_95"]
    assert int(rows["only_this_right"]["value"]) == found["only_this_right"]
    assert int(rows["only_other_right"]["value"]) == found["only_other_right"]


@pytest.mark.parametrize("names", [("[ai]", "[/b]"), ("[/b]", "[ai]", "[red]c")])
def test_names_of_classes_are_no_markup(tuner, tmp_path, names):
    count = len(names)
    sure = np.eye(count)[np.arange(9) // 2 % count]
    predictions = Predictions(tuple(map(str, range(9))), np.arange(9) % count, names, sure)
    write_predictions(tmp_path / "p.csv", predictions)
    result = tuner("evaluate", "--predictions", "p.csv")
    assert result.code == 0, result.stderr
    assert all(result.stdout.count(name) >= 3 for name in names)


def test_names_of_classes_are_no_markup_in_a_table_of_counts_either(tuner, tmp_path):
    write_images(tmp_path / "data", ("[ai]", "[bold]"), count=10)
    shown = tuner("data", "show", tmp_path / "data").stdout
    assert {line.split()[0] for line in shown.splitlines() if line.startswith("[")} == {"[ai]", "[bold]"}
