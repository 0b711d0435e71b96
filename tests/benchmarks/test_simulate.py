"""The simulated search, small; and what holds for any search of several workers, whatever happens to them."""

import re
import time
from pathlib import Path

import pytest

from benchmarks.parts import time_in
from benchmarks.simulate import REFERENCE, Request, simulate
from benchmarks.simulated_pool import FACTS, SimulatedPool, accuracy, epoch_seconds, space
from tuner.config import make_config
from tuner.errors import TunerError
from tuner.results.run_folder import run_folder
from tuner.results.schema import FAILED, STORE_FILE, TRIALS_FILE
from tuner.results.store import Store
from tuner.training.task import RungDone
from tuner.tuning.driver import Search
from tuner.tuning.events import RungEnded, ignore
from tuner.tuning.oracles import make_oracle
from tuner.workers.protocol import Failure

TIMES = REFERENCE / TRIALS_FILE


class KilledError(Exception):
    pass


def search_in(folder, config, store, pool, listen=ignore):
    return Search(config, run_folder(folder, config), store, make_oracle(config, space()), pool, listen)


def request(algorithm, **changes):
    given = {"sampler": "random", "trials": 90, "workers": 20, "max_epochs": 9, "times": str(TIMES)}
    return Request(algorithm, **{**given, **changes})


def search(folder, workers=1, listen=lambda _: None, **changes):
    """Search in a folder, from where its store stands."""
    config = make_config(
        {
            "algorithm": "asha",
            "sampler": "random",
            "max_trials": 40,
            "max_epochs": 9,
            "patience": 0,
            **changes,
        }
    )
    path = folder / STORE_FILE
    store = Store(path) if path.exists() else Store.create(path, FACTS)
    try:
        pool = SimulatedPool(workers, [1.0])
        outcome = search_in(folder, config, store, pool, listen).run()
        return outcome, store.trials(), store.rung_scores()
    finally:
        store.close()


def stable(trials):
    return [(trial.trial_id, trial.values, trial.rung, trial.epochs, trial.score) for trial in trials]


@pytest.mark.parametrize("algorithm", ["asha", "hyperband", "random"])
def test_a_simulated_search_keeps_its_counts(algorithm):
    result = simulate(request(algorithm))
    assert (result["outcome"], result["trials"], result["rungs"][0]) == ("completed", 90, 90)
    assert result["checkpoints_left"] == 3
    assert len(result["driver_cpu_ms_per_rung_by_tenth"]) == 10
    assert sum(result["share_of_driver"].values()) < 1
    if algorithm == "asha":
        assert all(found >= least for found, least in zip(result["rungs"], (90, 30, 10), strict=True))
        assert result["workers_busy_until_the_last_trial_began"] == pytest.approx(1)


def test_trials_whose_workers_die_are_trained_to_their_end(tmp_path):
    result = simulate(request("asha", lost=0.05, folder=str(tmp_path)))
    assert result["lost_workers"] > 0
    assert (result["outcome"], result["trials"]) == ("completed", 90)
    store = Store(tmp_path / STORE_FILE)
    assert {trial.epochs for trial in store.trials()} == {1, 3, 9}
    store.close()


class NoWorkers(SimulatedPool):
    """A cluster whose nodes are all gone."""

    def idle(self):
        return []

    def next_event(self, timeout=None):
        assert timeout is not None
        time.sleep(0.01)


def test_time_runs_out_where_there_is_no_worker(tmp_path):
    config = make_config({"max_trials": 4, "max_time": 0.2})
    store = Store.create(tmp_path / STORE_FILE, FACTS)
    pool = NoWorkers(1, [1.0])
    outcome = search_in(tmp_path, config, store, pool).run()
    assert outcome.status == "out of time"
    assert store.run()["spent_s"] >= 0.2
    store.close()


class FailsInTheLastRung(SimulatedPool):
    """Trains short trials well, and long ones never."""

    def next_event(self, timeout=None):
        number, event = super().next_event(timeout)
        if isinstance(event, RungDone) and event.rung == 2:
            return number, Failure(event.trial_id, "nan", "loss became nan", "")
        return number, event


@pytest.mark.parametrize(
    ("pool", "rung", "parts"),
    [
        (FailsInTheLastRung(1, [1.0]), 2, ("5 trials", "in rung 2", "5 nan")),
        (SimulatedPool(1, [1.0], lost=1.0), 0, ("5 trials", "5 crash")),
    ],
)
def test_a_search_of_which_one_rung_always_fails_ends(tmp_path, pool, rung, parts):
    config = make_config({"algorithm": "hyperband", "sampler": "random", "max_trials": 27, "max_epochs": 9})
    store = Store.create(tmp_path / STORE_FILE, FACTS)
    search = search_in(tmp_path, config, store, pool)
    with pytest.raises(TunerError) as caught:
        search.run()
    assert all(part in str(caught.value) for part in parts)
    assert {trial.rung for trial in store.trials() if trial.status == FAILED} == {rung}
    store.close()


def test_a_driver_that_is_killed_goes_on_as_if_it_had_not_been(tmp_path):
    """With one worker: of several, a kill changes the order in which they come back."""
    (whole := tmp_path / "whole").mkdir()
    (cut := tmp_path / "cut").mkdir()
    left = [25]

    def kill(event):
        left[0] -= isinstance(event, RungEnded)
        if not left[0]:
            raise KilledError

    with pytest.raises(KilledError):
        search(cut, listen=kill)
    _, uncut, uncut_scores = search(whole)
    _, trials, scores = search(cut)
    assert stable(trials) == stable(uncut)
    assert scores == uncut_scores


def test_epochs_in_all_hold_for_many_workers(tmp_path):
    outcome, trials, _ = search(tmp_path, workers=7, max_epochs_total=50)
    assert outcome.status == "out of epochs"
    assert sum(trial.epochs for trial in trials) == 50


def test_time_holds_for_many_workers(tmp_path):
    outcome, trials, _ = search(tmp_path, workers=7, max_trials=100_000, max_time=0.5)
    assert outcome.status == "out of time"
    assert 7 < len(trials) < 100_000


def test_epochs_take_as_long_as_those_of_a_finished_run():
    seconds = epoch_seconds(TIMES)
    assert len(seconds) == 9
    assert all(1 < each < 1000 for each in seconds)


def test_learning_curves_rise_and_depend_on_the_values():
    values = {"width": 64, "blocks": 4, "learning_rate": 0.005, "dropout": 0.1}
    curve = [accuracy(values, epoch) for epoch in range(1, 30)]
    assert curve == sorted(curve)
    assert curve[-1] > accuracy({**values, "learning_rate": 0.1}, 29)


def test_time_in_a_part_is_not_counted_for_the_part_that_called_it():
    now = [0.0]

    class Inner:
        def work(self):
            now[0] += 2.0

    class Outer:
        def work(self):
            now[0] += 1.0
            Inner().work()

    with time_in({"outer": [(Outer, ["work"])], "inner": [(Inner, ["work"])]}, lambda: now[0]) as spent:
        Outer().work()
    assert spent == {"outer": 1.0, "inner": 2.0}
    Outer().work()
    assert spent == {"outer": 1.0, "inner": 2.0}


def test_a_table_without_epochs_is_refused(tmp_path: Path):
    (tmp_path / TRIALS_FILE).write_text("epochs,duration_s\n0,0\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=rf"{re.escape(TRIALS_FILE)}'.*no trial.*--times"):
        epoch_seconds(tmp_path / TRIALS_FILE)
