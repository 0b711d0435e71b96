"""What the page says of robustness, and of what the data of a run give away."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.report.pages import page
from tests.report.reported import measure_robustness, reported_run
from tuner.errors import StorageError
from tuner.report.contents import read_contents
from tuner.results.schema import BEST, ROBUSTNESS_FILE


@pytest.fixture(autouse=True)
def no_importance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What importance finds is tested where it is made."""
    monkeypatch.setattr("tuner.report.contents.importance", lambda _: None)


def test_without_robustness_the_page_says_what_measures_it(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "a run")
    made = page(run)
    text = " ".join(made.text.split())
    assert "Not measured" in text
    assert f"tuner evaluate '{run.path}' --robustness" in text
    assert made.data["robustness"] == []


def test_robustness_has_a_plot_for_each_corruption_and_all_its_figures(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    found = measure_robustness(run)
    made = page(run)
    text = " ".join(made.text.split())
    assert [each["name"] for each in made.data["robustness"]] == [
        each["name"] for each in found["corruptions"]
    ]
    assert made.data["robustness"][0]["levels"][0]["strength"] is None
    first = found["corruptions"][0]["levels"]
    lowest, untouched = (re.escape(f"{level['accuracy']:.1%}") for level in (first[-1], first[0]))
    assert re.search(rf"JPEG at 10\D+{lowest}\D+{untouched}", text)
    assert f"JPEG 90 {first[1]['accuracy']:.2%} " in text
    assert "--robustness" not in text


def test_the_robustness_of_several_classes_is_of_each_against_the_rest(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r", classes=("a", "b", "c"))
    measure_robustness(run)
    assert "each class against the rest" in page(run).text


@pytest.mark.parametrize("changes", [{"trial_id": "0999"}, {"best_epoch": 99}])
def test_the_robustness_of_an_earlier_winner_is_not_shown(tmp_path: Path, changes: dict[str, Any]) -> None:
    run = reported_run(tmp_path / "r")
    measure_robustness(run, **changes)
    assert "Not measured" in page(run).text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"trial_id": "0001"}'])
def test_damaged_robustness_is_named(tmp_path: Path, text: str) -> None:
    run = reported_run(tmp_path / "r")
    (run.path / BEST / ROBUSTNESS_FILE).write_text(text)
    with pytest.raises(StorageError, match=r"robustness\.json'.*damaged"):
        read_contents(run)


def shortcut(feature: str, auroc: float, of: str) -> dict[str, Any]:
    return {"feature": feature, "class_name": "FAKE", "auroc": auroc, "warn_from": 0.75, "of": of}


def test_a_shortcut_in_the_data_is_a_warning_with_its_figures(tmp_path: Path) -> None:
    found = [shortcut("mean brightness", 0.928, "images"), shortcut("file size", 0.61, "files")]
    made = page(reported_run(tmp_path / "r", shortcuts=found))
    text = " ".join(made.text.split())
    assert "aside" in made.tags
    assert "mean brightness FAKE 0.93" in text
    assert "rest on them" in text
    assert "Properties of files" not in text
    assert re.search(r"file size\D+0\.61 at most", text)


def test_data_without_a_shortcut_have_one_calm_line(tmp_path: Path) -> None:
    found = [shortcut("mean brightness", 0.62, "images"), shortcut("file size", 0.5, "files")]
    made = page(reported_run(tmp_path / "r", shortcuts=found))
    assert re.search(r"mean brightness, file size\D+0\.62 at most\D+0\.5\b", " ".join(made.text.split()))
    assert "aside" not in made.tags


def test_a_run_whose_shortcuts_were_not_measured_says_nothing_of_them(tmp_path: Path) -> None:
    assert "shortcuts" not in page(reported_run(tmp_path / "r")).ids
