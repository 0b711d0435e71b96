"""`tuner evaluate RUN --robustness` keeps what it finds in the run, and `tuner report` draws it."""

import json
import shutil

import pytest

from tuner.evaluation.corruptions import CORRUPTIONS

pytestmark = pytest.mark.training

NAMES = ("robustness.json", "robustness.csv", "robustness.png")


@pytest.fixture
def best(searched):
    """The winner's folder of a run, without what other tests have left in it."""
    folder = searched / "results/first/best"
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    return folder


def test_a_run_is_evaluated_on_its_own_test_split(at, best):
    result = at("evaluate", "first", "--format", "json")
    assert result.code == 0, result.stderr
    shown, known = json.loads(result.stdout), json.loads((best / "evaluation.json").read_text())
    assert {name: shown[name] for name in ("images", "accuracy", "split")} == {
        name: known[name] for name in ("images", "accuracy", "split")
    }
    assert not any((best / name).exists() for name in NAMES)


def test_what_is_measured_on_the_own_test_split_is_kept_and_drawn(at, best, searched):
    """Of all corruptions, as users have them."""
    assert "tuner evaluate first --robustness" in report(at, searched)
    result = at("evaluate", "first", "--robustness")
    assert result.code == 0, result.stderr
    (kept,) = [line for line in result.error_lines if "best/robustness.json" in line]
    assert "tuner report first" in kept
    assert all((best / name).is_file() for name in NAMES)
    found, known = (json.loads((best / f"{name}.json").read_text()) for name in ("robustness", "evaluation"))
    assert len(found["corruptions"]) == len(CORRUPTIONS)
    assert (found["trial_id"], found["images"]) == (known["trial_id"], known["images"])
    untouched = {corruption["levels"][0]["accuracy"] for corruption in found["corruptions"]}
    assert untouched == {known["accuracy"]}
    page = report(at, searched)
    assert 'aria-label="Accuracy and AUROC by strength of JPEG"' in page
    assert "tuner evaluate first --robustness" not in page


@pytest.mark.usefixtures("short_suite")
@pytest.mark.parametrize(
    "arguments",
    [
        ("first", "--limit", 20),
        ("first", "--split", "validation"),
        ("first", "--positive", "REAL"),
        ("first", "--data", "DATA", "--map", "FAKE=generated,REAL=photo"),
        ("model.keras", "--data", "OWN"),
    ],
)
def test_other_images_and_other_models_leave_it_as_it_is(at, best, images, elsewhere, arguments):
    (best / "robustness.json").write_text("kept")
    stand_ins = {"DATA": elsewhere, "OWN": images}
    arguments = [stand_ins.get(argument, argument) for argument in arguments]
    assert at("evaluate", *arguments, "--robustness").code == 0
    assert (best / "robustness.json").read_text() == "kept"


@pytest.mark.usefixtures("short_suite")
def test_what_is_kept_is_replaced_by_the_next_of_its_kind(at, best, searched):
    shutil.copy(best / "evaluation.json", best / "robustness.json")
    assert at("report", "first").code == 1
    assert at("evaluate", "first", "--robustness", "--quiet").code == 0
    assert "Robustness" in report(at, searched)


def report(at, searched):
    result = at("report", "first", "--out", "page.html")
    assert result.code == 0, result.stderr
    return (searched / "page.html").read_text("utf-8")
