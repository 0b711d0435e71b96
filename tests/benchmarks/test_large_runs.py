import keras_tuner as kt

from benchmarks.large_runs import EPOCHS, FAILED_EVERY, make_run, marks
from tuner.report.contents import read_contents
from tuner.report.page import render
from tuner.results.query import open_run
from tuner.results.schema import FAILED


def small_space():
    hp = kt.HyperParameters()
    hp.Choice("optimizer", ["adam", "sgd"])
    hp.Int("units", 8, 64, step=8)
    return hp


def test_a_run_has_as_many_trials_as_asked_for_and_its_page_all_of_their_marks(tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.report.contents.importance", lambda _: None)
    make_run(tmp_path / "r", FAILED_EVERY, small_space())
    run = open_run(tmp_path / "r")
    assert len(run.trials) == FAILED_EVERY
    assert [trial.epochs for trial in run.trials] == [EPOCHS] * (FAILED_EVERY - 1) + [0]
    assert run.trials[-1].status == FAILED
    counted = marks(render(read_contents(run)))
    assert counted["rows"] == FAILED_EVERY
    assert counted["points"] > EPOCHS * (FAILED_EVERY - 1)
