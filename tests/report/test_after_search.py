"""What the page says of trials that were trained anew or averaged after the search."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.report.pages import Page, page
from tests.report.reported import average, measure_robustness, reported_run, retrain
from tuner.errors import StorageError
from tuner.report.contents import read_contents
from tuner.results.evaluation_file import write_evaluation
from tuner.results.query import RunView
from tuner.results.schema import EVALUATION_FILE, RETRAINED, SUMMARY_FILE


@pytest.fixture(autouse=True)
def no_importance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What importance finds is tested where it is made."""
    monkeypatch.setattr("tuner.report.contents.importance", lambda _: None)


def words(made: Page) -> str:
    return " ".join(made.text.split())


def test_a_run_of_which_nothing_was_made_has_no_such_section(tmp_path: Path) -> None:
    made = page(reported_run(tmp_path / "r"))
    assert "beyond" not in made.ids
    assert "#beyond" not in made.addresses


def test_retraining_is_shown_with_mean_and_spread_beside_the_figures_of_the_search(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    figures = retrain(run)["trials"][0]["figures"]["accuracy"]
    made = page(run)
    text = words(made)
    assert "#beyond" in made.addresses
    assert "figure mean std dev least most in the search" in text
    found = " ".join(f"{figures[name]:.4f}" for name in ("mean", "sd", "min", "max"))
    assert f"accuracy {found} {figures['min']:.4f}" in text
    assert re.search(r"\b7 epochs on 1,234 images\b.*train and validation.*\b3 seeds", text)
    assert f"2 {figures['max']:.4f}" in text


ONCE = "read once"
NO_SAY = "no say in the search"


@pytest.mark.parametrize("more", [retrain, lambda run: average(run, 2), measure_robustness])
def test_test_images_that_were_measured_on_again_are_not_said_to_be_read_once(
    tmp_path: Path, more: Callable[[RunView], object]
) -> None:
    run = reported_run(tmp_path / "r")
    assert ONCE in words(page(run))
    more(run)
    text = words(page(run))
    assert NO_SAY in text
    assert ONCE not in text


def test_a_single_seed_has_no_spread_and_another_trial_no_figures_of_the_search(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    second = retrain(run, seeds=1, trials=2)["trials"][1]["trial_id"]
    text = words(page(run))
    assert re.search(rf"Trial {second}\b[\w ]* figure mean std dev least most accuracy", text)
    assert "Each seed" not in text
    assert "with seed 0" in text


def test_ensembles_stand_beside_the_best_alone_with_the_test_of_each(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    for count in (10, 2):
        average(run, count)
    text = words(page(run))
    assert f"trial {run.ranked[0].trial_id} alone" in text
    assert "p = 1.0" in text
    assert "The mean of 2 cannot be told from <the best>." in text
    assert text.index("mean of 2") < text.index("mean of 10")


def test_the_mean_of_trials_that_are_no_longer_the_best_is_not_shown(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    found = average(run, 2)
    found["members"].reverse()
    write_evaluation(run.path / "ensemble-2", found)
    assert "beyond" not in page(run).ids


def test_figures_of_several_classes_are_means_over_them(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r", classes=("a", "b", "c"))
    area = retrain(run)["trials"][0]["figures"]["auroc"]["mean"]
    average(run, 2)
    text = words(page(run))
    assert f"AUROC {area:.4f} 0.0000 {area:.4f} {area:.4f} {area:.4f}" in text
    assert f"{area:.4f} p = 1.0" in text


@pytest.mark.parametrize("name", [f"{RETRAINED}/{SUMMARY_FILE}", f"ensemble-2/{EVALUATION_FILE}"])
@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_damaged_files_are_named(tmp_path: Path, name: str, text: str) -> None:
    run = reported_run(tmp_path / "r")
    retrain(run)
    average(run, 2)
    (run.path / name).write_text(text, "utf-8")
    with pytest.raises(StorageError, match=rf"/r/{Path(name).parent}\b.*'.*damaged"):
        read_contents(run)
