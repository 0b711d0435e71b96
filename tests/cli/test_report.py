"""`tuner report`: where the page goes, and what is printed."""

from pathlib import Path

import pytest
from PIL import Image

from tests.analysis.searches import unfinished_run
from tests.cli.conftest import Run
from tests.report.reported import facts_of_a_run, measure_robustness, reported_run, searched_run


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results"
    measure_robustness(reported_run(path / "whole", 6, 1))
    return path


def test_the_path_of_the_page_is_all_of_stdout(tuner: Run, results: Path) -> None:
    result = tuner("report")
    assert (result.code, result.stdout) == (0, f"{Path('results', 'whole', 'report.html')}\n"), result.stderr
    assert (results / "whole" / "report.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.usefixtures("results")
def test_an_earlier_page_is_replaced(tuner: Run, tmp_path: Path) -> None:
    page = tmp_path / "results" / "whole" / "report.html"
    page.write_text("old")
    assert tuner("report", "whole").code == 0
    assert page.read_text("utf-8") != "old"


def test_out_names_another_file_and_the_run_stays_as_it_is(tuner: Run, results: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in (results / "whole").iterdir())
    assert tuner("report", "whole", "--out", "sub/page.html").stdout == f"{Path('sub', 'page.html')}\n"
    assert (tmp_path / "sub" / "page.html").is_file()
    assert {"run.sqlite-shm", "run.sqlite-wal", *before} >= {
        path.name for path in (results / "whole").iterdir()
    }


@pytest.mark.usefixtures("results")
def test_png_writes_each_plot_as_a_picture(tuner: Run, tmp_path: Path) -> None:
    result = tuner("report", "whole", "--png", "plots")
    assert result.code == 0, result.stderr
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {
        "best_so_far.png",
        "learning_curves.png",
        "parallel_coordinates.png",
        "slices.png",
        "importance.png",
        "marginal_means.png",
        "confusion_matrix.png",
        "roc.png",
        "calibration.png",
        "gallery.png",
        "robustness.png",
    }
    for name in names:
        with Image.open(tmp_path / "plots" / name) as picture:
            picture.verify()


def test_pictures_of_a_run_under_way_are_those_that_it_has(tuner: Run, tmp_path: Path) -> None:
    searched_run(tmp_path / "results" / "begun", 1, status="running")
    assert tuner("report", "--png", "plots").code == 0
    assert "roc.png" not in {path.name for path in (tmp_path / "plots").iterdir()}


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_whose_only_trial_has_not_come_far_has_a_page_and_no_importance(
    tuner: Run, tmp_path: Path, stopped: bool
) -> None:
    run = unfinished_run(tmp_path / "results" / "new", stopped, **facts_of_a_run())
    assert tuner("report").code == 0
    assert (run.path / "report.html").is_file()
    result = tuner("importance")
    assert result.code == 1
    (line,) = result.error_lines
    assert "'new'" in line


@pytest.mark.usefixtures("results")
def test_open_shows_the_page_in_the_browser(tuner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def open_page(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", open_page)
    assert tuner("report", "--open").code == 0
    assert [address.rpartition("/")[2] for address in opened] == ["report.html"]
    assert opened[0].startswith("file://")


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["whle"], ("'whle'", "'results'", "'whole'", "tuner runs")),
        (["--out", "page.pdf"], ("'page.pdf'", ".html")),
    ],
)
def test_a_bad_request_is_one_line(tuner: Run, arguments: list[str], parts: tuple[str, ...]) -> None:
    result = tuner("report", *arguments)
    assert (result.code, result.stdout) == (2, "")
    (line,) = result.error_lines
    assert line.startswith("error: ")
    assert all(part in line for part in parts)
