"""The page of a run: what it holds, what it leaves out, and that nothing in a run can break out of it."""

import json
import re
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.analysis.finished_runs import finished_run
from tests.report.pages import Page, page
from tests.report.reported import facts_of_a_run, halves, multiply, reported_run, searched_run
from tuner.analysis import fanova
from tuner.evaluation.gallery import MakeHeatmaps
from tuner.report import contents as report_contents
from tuner.report.contents import Contents, read_contents
from tuner.report.page import render, write_report
from tuner.results.evaluation_file import write_evaluation
from tuner.results.query import RunView, open_run
from tuner.results.schema import BEST, EVALUATION_FILE, FAILED, PREDICTIONS_FILE
from tuner.training.heatmaps import ATTENTION_ROLLOUT

HOSTILE = "<script>alert(1)</script>"
MIB = 2**20


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """What importance finds is tested where it is made."""
    for name in ("WHOLE", "SAMPLED"):
        monkeypatch.setattr(fanova, name, fanova.Effort(2, 2, 5, 200))


def test_a_report_has_all_sections_in_their_order(tmp_path: Path) -> None:
    made = page(reported_run(tmp_path / "r", 24, 2))
    assert made.headings == [
        "Summary",
        "On the test images",
        "Robustness",
        "Gallery",
        "The search",
        "Hyperparameters",
        "Leaderboard",
        "Failures",
        "Provenance",
    ]
    assert {
        "confusion",
        "roc",
        "calibration",
        "progress",
        "curves",
        "parallel",
        "importance",
        "slices",
    } <= set(made.ids)
    assert len(made.ids) == len(set(made.ids))


def test_the_summary_states_the_accuracy_with_its_interval(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    evaluation = json.loads((run.path / BEST / EVALUATION_FILE).read_text())
    low, high = evaluation["accuracy_interval_95"]
    text = " ".join(page(run).text.split())
    assert f"{evaluation['accuracy']:.2%} of 90 test images" in text
    assert re.search(r"95 %\D+" + re.escape(f"{low:.2%} to {high:.2%}"), text)


def test_a_temperature_that_was_not_found_is_told_beside_the_calibration_error(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    write_evaluation(run.path / BEST, (run.evaluation or {}) | {"calibrated": None})
    made = page(open_run(run.path))
    assert "did not converge" in made.text
    assert "at temperature 1.5" not in made.text


def test_without_predictions_there_are_no_curves_but_the_figures_stay(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r")
    (run.path / BEST / PREDICTIONS_FILE).unlink()
    made = page(run)
    assert "roc" not in made.ids
    assert "confusion" in made.ids


def test_a_run_under_way_has_no_test_section(tmp_path: Path) -> None:
    made = page(searched_run(tmp_path / "r", status="running"))
    assert not {"test", "gallery"} & set(made.ids)
    assert "no winner" in made.text
    assert "tuner resume" in made.text


@pytest.mark.parametrize(("trials", "failed"), [(0, 0), (0, 3), (1, 0)])
def test_a_run_of_hardly_any_trials_has_a_page_too(tmp_path: Path, trials: int, failed: int) -> None:
    made = page(searched_run(tmp_path / "r", trials, failed))
    assert "provenance" in made.ids
    assert ("failures" in made.ids) == (failed > 0)


def test_without_its_gallery_a_run_has_a_page(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r", objective="val_accuracy")
    (run.path / BEST / "gallery.npz").unlink()
    assert "gallery" not in page(run).ids


@pytest.mark.parametrize(
    ("heat", "words"),
    [
        (halves, "Grad-CAM of the predicted class"),
        (partial(halves, method=ATTENTION_ROLLOUT), "attention rollout"),
        (None, "Without maps"),
    ],
)
def test_the_gallery_says_how_its_maps_were_made(
    tmp_path: Path, heat: MakeHeatmaps | None, words: str
) -> None:
    text = " ".join(page(reported_run(tmp_path / "r", heat=heat)).text.split())
    assert words in text
    assert text.count("Grad-CAM") + text.count("attention rollout") == (1 if heat else 2)


def test_more_than_two_classes_have_a_curve_each(tmp_path: Path) -> None:
    made = page(reported_run(tmp_path / "r", classes=("a", "b", "c")))
    assert [curve["name"] for curve in made.data["roc"]] == ["a", "b", "c"]
    assert "mean over classes" in made.text


def test_failures_are_counted_by_reason(tmp_path: Path) -> None:
    text = " ".join(page(reported_run(tmp_path / "r", 12, 3)).text.split())
    assert "oom 3 0013, 0014, 0015 4 GiB are not enough" in text


def test_the_leaderboard_has_a_row_for_each_trial_the_best_first(tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r", 12, 2)
    html = render(read_contents(run))
    board = html[html.index('<section id="leaderboard"') :]
    ids = re.findall(r'class="pin" aria-pressed="false">(\d+)<', board)
    assert ids == [trial.trial_id for trial in run.ranked] + ["0013", "0014"]


def test_curves_know_where_a_trial_was_promoted(tmp_path: Path) -> None:
    curves = {curve["trial"]: curve for curve in page(searched_run(tmp_path / "r")).data["curves"]}
    assert (curves[8]["promoted"], len(curves[8]["values"])) == ([1, 3], 9)
    assert (curves[0]["promoted"], len(curves[0]["values"])) == ([], 1)


def test_a_hyperparameter_of_one_value_has_no_axis_and_an_inactive_one_no_value(tmp_path: Path) -> None:
    axes = {axis["name"]: axis for axis in page(searched_run(tmp_path / "r")).data["axes"]}
    assert "depth" not in axes
    assert axes["momentum"]["values"][1] is None
    assert (axes["optimizer"]["scale"], axes["learning_rate"]["scale"]) == ("places", "log")


def test_the_best_so_far_never_gets_worse(tmp_path: Path) -> None:
    progress = page(searched_run(tmp_path / "r", direction="min", objective="val_accuracy")).data["progress"]
    scores = [score for _, score in progress["by_trial"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("where", ["classes", "run", "value", "fact", "error", "path"])
def test_names_and_paths_of_a_run_are_escaped(tmp_path: Path, where: str) -> None:
    # A file's name holds no slash; all else may be in it.
    hostile = HOSTILE.replace("/", "") if where == "run" else HOSTILE
    facts: dict[str, Any] = {"space": hostile, "device": hostile, "dataset": "</script>"}
    classes = (hostile, 'b" onload="x') if where == "classes" else ("FAKE", "REAL")
    run = reported_run(
        tmp_path / (f'a "quoted" \'{hostile}' if where == "run" else "r"),
        classes=classes,
        **(facts if where == "fact" else {}),
    )
    changed = {
        "value": ("values", {"units": hostile, hostile: 1}),
        "error": ("error", f"{hostile}: {hostile}"),
    }
    if where in changed:
        name, value = changed[where]
        object.__setattr__(run.trials[0], name, value)
        object.__setattr__(run.trials[0], "status", "FAILED")
    contents = read_contents(run)
    if where == "path":
        assert contents.gallery is not None
        object.__setattr__(contents.gallery.examples[0], "path", f'"{hostile}')
    made = Page(render(contents))
    assert made.tags.count("script") == 2
    assert made.handlers == []
    assert hostile in made.text or where == "path"


def test_a_page_names_no_address_outside_itself(tmp_path: Path) -> None:
    html = render(read_contents(reported_run(tmp_path / "r")))
    assert all(address.startswith(("#", "data:image/")) for address in Page(html).addresses)
    assert not re.findall(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", html)
    assert "default-src 'none'" in html


def test_the_path_of_the_data_is_as_it_was_typed(tmp_path: Path) -> None:
    assert "/home/somebody" not in render(read_contents(reported_run(tmp_path / "r")))


def test_a_report_of_500_trials_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_contents, "importance", lambda _: None)
    path = tmp_path / "report.html"
    write_report(read_contents(multiply(reported_run(tmp_path / "r", 48, 2), 10)), path)
    assert path.stat().st_size < MIB


def many_trials(path: Path, monkeypatch: pytest.MonkeyPatch, shown: int = 40) -> tuple[RunView, Page]:
    """A run of 90 trials and 10 that failed, and its page, on which there is room for fewer."""
    monkeypatch.setattr(report_contents, "importance", lambda _: None)
    monkeypatch.setattr("tuner.report.plot_data.MAX_SHOWN", shown)
    run = reported_run(path, 90, 10)
    return run, page(run)


def test_of_many_trials_the_page_shows_the_best_and_others_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, made = many_trials(tmp_path / "r", monkeypatch)
    rows = re.findall(r'class="pin" aria-pressed="false">(\d+)<', render(read_contents(run)))
    ids = [trial["trial_id"] for trial in made.data["trials"]]
    assert len(ids) == len(set(ids)) == 40
    assert sorted(rows) == sorted(ids)
    assert {trial.trial_id for trial in run.ranked[:20]} < set(ids)
    assert {trial.trial_id for trial in run.trials if trial.status == FAILED} & set(ids)
    assert made.text.count("40 of 100 trials are shown") == 2
    assert page(run).data == made.data


def test_what_is_drawn_of_some_trials_is_where_it_is_among_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, made = many_trials(tmp_path / "r", monkeypatch)
    _, whole = many_trials(tmp_path / "whole", monkeypatch, shown=100)
    trials = made.data["trials"]
    assert trials == [whole.data["trials"][trial["number"] - 1] for trial in trials]
    assert trials[made.data["winner"]]["trial_id"] == run.ranked[0].trial_id
    assert made.data["progress"]["by_trial"] == whole.data["progress"]["by_trial"]
    assert [step[:2] for step in made.data["progress"]["by_time"]] == [
        step[:2] for step in whole.data["progress"]["by_time"]
    ]
    assert made.data["scored"] == 90
    for axis, of_all in zip(made.data["axes"], whole.data["axes"], strict=True):
        assert axis["values"] == [of_all["values"][trial["number"] - 1] for trial in trials]
        assert {**axis, "values": None} == {**of_all, "values": None}
    curves = {whole.data["trials"][curve["trial"]]["trial_id"]: curve for curve in whole.data["curves"]}
    for curve in made.data["curves"]:
        assert curve["values"] == curves[trials[curve["trial"]]["trial_id"]]["values"]


def test_a_page_that_has_room_for_all_trials_says_nothing_of_a_choice(tmp_path: Path) -> None:
    made = page(reported_run(tmp_path / "r"))
    assert [trial["number"] for trial in made.data["trials"]] == list(range(1, 13))
    assert "are shown" not in made.text


def test_the_median_of_a_value_is_that_of_all_its_scores(tmp_path: Path) -> None:
    run = searched_run(tmp_path / "r")
    axes = {axis["name"]: axis for axis in page(run).data["axes"]}
    scores = [trial.score or 0.0 for trial in run.trials if trial.values["optimizer"] == "sgd"]
    assert axes["optimizer"]["medians"][1] == pytest.approx(median(scores), abs=1e-5)


def test_test_figures_of_a_damaged_file_are_refused(tmp_path: Path) -> None:
    from tuner.errors import UsageError

    run = finished_run(tmp_path / "r")
    with pytest.raises(UsageError, match=r"predictions\.csv"):
        read_contents(run)


def test_headings_of_columns_break_behind_underscores(tmp_path: Path) -> None:
    contents: Contents = read_contents(reported_run(tmp_path / "r"))
    assert "learning_<wbr>rate" in render(contents)


def test_many_classes_are_a_picture_their_most_confused_pairs_and_a_part_of_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_contents, "read_predictions", lambda _: pytest.fail("a large file is read"))
    names = tuple(f"n{k:03d}" for k in range(60))
    data = {**facts_of_a_run()["data"], "class_names": list(names), "positive_class": None}
    run = reported_run(tmp_path / "r", classes=names, data=data)
    html = render(read_contents(run))
    made = Page(html)
    assert "roc" not in made.ids
    assert html.count("<td") < 300
    assert 'class="cells"' in html
    assert "Most confused" in made.text
    assert "confusion_matrix.csv" in made.text
    assert "40 more" not in made.text
    assert "57 more" in made.text
