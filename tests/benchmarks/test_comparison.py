import pytest

from benchmarks.comparison import FIGURES, GAINED, OURS, SPENT, figures, medians, ratios, report
from benchmarks.machine import Usage

USAGE = Usage(returncode=0, wall_s=10.0, cpu_s=15.0, peak_mib=500.0, stdout="")
PEER = {"seconds": 20.0, "images_per_s": 50.0, "peak_mib": 400.0}
TUNER = {"seconds": 10.0, "images_per_s": 100.0, "peak_mib": 800.0, "startup_s": 3.0}


def test_figures_follow_from_what_was_measured():
    found = figures(USAGE, {"images": 400, "train_s": 4.0, "validation_s": 1.0})
    assert found["images_per_s"] == 40.0
    assert found["step_images_per_s"] == 100.0
    assert found["outside_share"] == pytest.approx(0.5)
    assert (found["seconds"], found["cpu_s"], found["peak_mib"]) == (10.0, 15.0, 500.0)


def test_the_share_outside_is_unknown_where_validation_is():
    assert figures(USAGE, {"images": 400, "train_s": 4.0})["outside_share"] is None


def test_medians_leave_out_rounds_that_lack_a_figure():
    rounds = [{"seconds": 1.0, "startup_s": None}, {"seconds": 2.0, "startup_s": 5.0}, {"seconds": 9.0}]
    assert medians(rounds) == {"seconds": 2.0, "startup_s": 5.0}
    assert medians([{"startup_s": None}]) == {"startup_s": None}


def test_a_ratio_above_one_means_that_tuner_is_ahead():
    found = ratios({"peer": PEER, OURS: TUNER})["peer"]
    assert found["seconds"] == 2.0
    assert found["images_per_s"] == 2.0
    assert found["peak_mib"] == 0.5


def test_no_ratio_of_a_figure_that_one_side_lacks():
    assert ratios({"peer": PEER, OURS: TUNER})["peer"]["startup_s"] is None


def test_the_table_has_a_column_for_each_side_and_a_line_for_each_figure():
    lines = report({"peer": PEER, OURS: TUNER}).splitlines()
    assert lines[0].split() == ["peer", OURS]
    assert len(lines) == 1 + len(FIGURES) + 2 + len(SPENT) + len(GAINED)
    assert lines[1].split()[-2:] == ["20.0", "10.0"]
