"""`tuner evaluate` on corrupted images, on several data sets, and on data that gives its classes away."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import write_images
from tests.cli.evaluate.reading import as_json, save_by_brightness, shorten_suite

# Nothing is trained, but Keras is loaded.
pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def folder(tmp_path_factory, images):
    """Models low.keras, which knows the images, and high.keras; data sets tiny and others."""
    folder = tmp_path_factory.mktemp("models")
    save_by_brightness(folder / "low.keras", 120, images)
    save_by_brightness(folder / "high.keras", 160)
    shutil.copytree(images, folder / "tiny")
    write_images(folder / "made", ("generated", "photo"), count=30)
    shutil.move(folder / "made" / "train", folder / "others")
    return folder


@pytest.fixture
def at(tuner, folder):
    def run(*arguments):
        return tuner(*arguments, cwd=folder)

    return run


@pytest.fixture
def short_suite(monkeypatch):
    shorten_suite(monkeypatch)


MAP = ("--map", "FAKE=generated,REAL=photo")


def test_corruptions_have_a_row_each_with_the_untouched_figures_first(at):
    plain = as_json(at("evaluate", "low.keras", "--data", "tiny", "--format", "json"))
    shown = at("evaluate", "low.keras", "--data", "tiny", "--robustness").stdout
    lines = [line.split() for line in shown.split("Accuracy under corruption")[1].splitlines()]
    rows = {words[0]: words[1:] for words in lines if words and words[0] in ("JPEG", "noise", "watermark")}
    assert len(rows) == 3
    assert "AUROC of FAKE under corruption" in shown
    first = shown.split("Accuracy under corruption")[1].split("AUROC of")[0]
    assert first.count(f"{plain['accuracy']:.1%}") >= 8


@pytest.mark.usefixtures("short_suite")
def test_all_figures_stay_those_without_the_suite(at):
    plain = as_json(at("evaluate", "low.keras", "--data", "tiny", "--format", "json"))
    whole = as_json(at("evaluate", "low.keras", "--data", "tiny", "--robustness", "--format", "json"))
    suite = whole.pop("robustness")
    assert whole == plain
    assert {values["levels"][0]["accuracy"] for values in suite["corruptions"]} == {plain["accuracy"]}
    assert {values["levels"][0]["auroc"] for values in suite["corruptions"]} == {plain["auroc"]}


@pytest.mark.usefixtures("short_suite")
def test_csv_tells_corrupted_figures_by_where_they_are(at):
    result = at("evaluate", "low.keras", "--data", "tiny", "--robustness", "--limit", 20, "--format", "csv")
    rows = {(row["figure"], row["at"]): row for row in csv.DictReader(io.StringIO(result.stdout))}
    assert ("accuracy", "0.5") in rows
    assert rows["auroc", "JPEG 90"]["class"] == "FAKE"
    assert float(rows["accuracy", "blur 0.5"]["low_95"]) <= float(rows["accuracy", "blur 0.5"]["value"])


@pytest.mark.usefixtures("short_suite")
def test_the_suite_leaves_its_files_beside_the_evaluation(at, tmp_path):
    out = tmp_path / "out"
    assert at("evaluate", "low.keras", "--data", "tiny", "--robustness", "--out", out).code == 0
    names = {"evaluation.json", "predictions.csv", "confusion_matrix.csv", "robustness.json"}
    names |= {"robustness.csv", "robustness.png"}
    assert {path.name for path in out.iterdir()} == names


def test_files_of_the_suite_are_never_overwritten(at, tmp_path):
    (tmp_path / "robustness.csv").write_text("mine")
    result = at("evaluate", "low.keras", "--data", "tiny", "--robustness", "--out", tmp_path)
    assert result.code == 2
    assert "robustness.csv" in result.error_lines[-1]
    assert (tmp_path / "robustness.csv").read_text() == "mine"


def test_each_model_is_judged_on_each_data_set(at):
    pairs = ("low.keras", "high.keras", "--data", "tiny", "--data", "others", *MAP)
    rows = as_json(at("evaluate", *pairs, "--format", "json"))
    assert [(row["model"], row["data"]) for row in rows] == [
        (model, data) for model in ("low.keras", "high.keras") for data in ("tiny", "others")
    ]
    alone = as_json(at("evaluate", "high.keras", "--data", "others", *MAP, "--format", "json"))
    assert (rows[-1]["accuracy"], rows[-1]["auroc"]) == (alone["accuracy"], alone["auroc"])
    assert (rows[-1]["images"], rows[-1]["split"]) == (60, "all")


def test_the_data_that_a_model_was_trained_on_is_marked(at):
    pairs = ("low.keras", "high.keras", "--data", "tiny,others", *MAP)
    rows = as_json(at("evaluate", *pairs, "--format", "json"))
    assert [row["trained_on"] for row in rows] == [True, False, False, False]
    shown = at("evaluate", *pairs).stdout
    accuracy, auroc = shown.split("AUROC")
    assert any(line.startswith("* ") for line in auroc.splitlines())
    assert (accuracy.count("]*"), auroc.count("]*")) == (1, 1)


def test_of_each_pair_the_evaluation_and_its_predictions_are_kept(at, tmp_path):
    out = tmp_path / "out"
    result = at("evaluate", "low.keras", "--data", "tiny", "--data", "others", *MAP, "--out", out)
    assert result.code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO((out / "matrix.csv").read_text())))
    again = as_json(
        at("evaluate", "--predictions", out / "2-low-on-others" / "predictions.csv", "--format", "json")
    )
    assert [float(rows[1][name]) for name in ("accuracy", "auroc")] == [again["accuracy"], again["auroc"]]
    assert (out / "1-low-on-tiny" / "evaluation.json").is_file()


def test_a_folder_with_a_comma_in_its_name_is_one_data_set(at, folder, tmp_path):
    shutil.copytree(folder / "tiny", tmp_path / "a,b")
    assert (
        as_json(at("evaluate", "low.keras", "--data", tmp_path / "a,b", "--format", "json"))["images"] == 60
    )


def give_away(folder, images=12):
    """Generated images are larger than photographs."""
    rng = np.random.default_rng(0)
    for name, side in (("FAKE", 16), ("REAL", 12)):
        (folder / name).mkdir(parents=True)
        for i in range(images):
            Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8)).save(folder / name / f"{i}.png")
    return folder


def test_files_that_give_classes_away_are_warned_of_in_one_line(at, tmp_path):
    data, out = give_away(tmp_path / "larger"), tmp_path / "out"
    result = at("evaluate", "low.keras", "--data", data, "--quiet", "--out", out)
    (line,) = [line for line in result.error_lines if line.startswith("Warning")]
    for words in (" larger", "width", "FAKE", "1.00", "file size"):
        assert words in line
    found = json.loads((out / "evaluation.json").read_text())["shortcuts"]
    (width,) = [each for each in found if each["feature"] == "width"]
    assert (width["class_name"], width["auroc"], width["of"]) == ("FAKE", 1.0, "files")


def test_brightness_is_warned_of_as_what_it_is(at, tmp_path):
    out = tmp_path / "out"
    result = at("evaluate", "low.keras", "--data", "tiny", "--out", out)
    (line,) = [line for line in result.error_lines if line.startswith("Warning")]
    assert all(words in line for words in (" tiny ", "mean brightness", "FAKE"))
    (found,) = json.loads((out / "evaluation.json").read_text())["shortcuts"]
    assert (found["feature"], found["of"]) == ("mean brightness", "images")
    assert line.partition(" tiny ")[2] in at("data", "show", "tiny").stdout


def test_shortcuts_of_each_data_set_are_told_once(at, tmp_path):
    data = give_away(tmp_path / "larger")
    result = at("evaluate", "low.keras", "high.keras", "--data", data, "--quiet")
    assert result.code == 0, result.stderr
    assert len([line for line in result.error_lines if "Warning" in line and " larger " in line]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("low.keras", "high.keras"), ["--data", "missing"]),
        (("--data", "tiny", "--data", "others"), ["MODEL", "missing"]),
        (("low.keras", "low.keras", "--data", "tiny"), ["'low.keras'", "twice"]),
        (("low.keras", "--data", "tiny,tiny"), ["'tiny'", "twice"]),
        (("low.keras", "--data", "tiny,others", "--robustness"), ["--robustness", "one data set"]),
        (("low.keras", "--data", "tiny,others", "--compare", "high.keras"), ["--compare"]),
        (("low.keras", "--data", "tiny,others", "--threshold", "0.3"), ["--threshold"]),
        (("low.keras", "--data", "tiny,others", "--map", "FAKE=ai"), ["FAKE=ai", "generated, photo"]),
        (("low.keras", "nothing.keras", "--data", "tiny"), ["file", "'nothing.keras'"]),
        (("--predictions", "p.csv", "--robustness"), ["--predictions", "--robustness"]),
    ],
)
def test_what_makes_no_sense_is_one_line(at, arguments, words):
    result = at("evaluate", *arguments)
    assert result.code == 2
    assert result.stdout == ""
    (line,) = [line for line in result.error_lines if line.startswith("error: ")]
    assert all(word in line for word in words), line
