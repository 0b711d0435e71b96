import math
import re

import pytest

from tests.analysis.searches import by_rate, by_width, draw, request, search, unfinished_run
from tests.results.records import FACTS, epoch, record
from tuner.analysis import fanova
from tuner.analysis.comparable_trials import observe
from tuner.analysis.importance import (
    MIN_TRIALS,
    MIN_TRIALS_EACH,
    SCORE,
    SECONDS,
    importance,
    too_few,
)
from tuner.results.query import open_run
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.task import EpochDone


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """What is tested here are effects that a handful of resamples shows."""
    for name, number in (("RESAMPLES", 4), ("RESAMPLE_TREES", 2), ("TREES", 4), ("UNSEEN_TREES", 30)):
        monkeypatch.setattr(fanova, name, number)


def named(found):
    return {each.name: each for each in found.hyperparameters}


def clear(found, target):
    return [each.name for each in found.hyperparameters if found.is_told(each, target)]


def test_what_moves_the_score_and_what_moves_the_time_are_told_apart(tmp_path):
    found = importance(search(tmp_path / "r", 40, by_rate, by_width))
    assert clear(found, SCORE) == ["rate"]
    assert clear(found, SECONDS) == ["width"]
    assert found.hyperparameters[0].name == "rate"
    assert found.unseen_r2[SCORE] > 0.9


def test_pure_noise_moves_nothing(tmp_path):
    found = importance(search(tmp_path / "r", 40, lambda _: 0.5))
    assert clear(found, SCORE) == clear(found, SECONDS) == []
    assert found.unseen_r2[SCORE] < 0.2


def test_the_same_trials_give_the_same_answer(tmp_path):
    run = search(tmp_path / "r", 30, by_rate, by_width)
    assert importance(run) == importance(run)


def test_a_share_lies_in_its_interval(tmp_path):
    for each in importance(search(tmp_path / "r", 30, by_rate)).hyperparameters:
        share = each.effects[SCORE].share
        assert 0 <= share.low_95 <= share.share <= share.high_95 <= 1


def test_means_are_those_of_the_trials_with_a_value(tmp_path):
    run = search(tmp_path / "r", 30, by_rate)
    levels = named(importance(run))["rate"].levels
    assert [level.label for level in levels] == ["0.001", "0.01", "0.1"]
    for level in levels:
        scores = [t.score for t in run.trials if t.values["rate"] == float(level.label)]
        assert level.trials == len(scores)
        assert level.means[SCORE].mean == pytest.approx(sum(scores) / len(scores))


def test_of_one_trial_there_is_a_mean_and_no_interval(tmp_path):
    run = search(
        tmp_path / "r", 3, by_rate, values=lambda number, _: {"rate": [0.1, 0.01, 0.001][number - 1]}
    )
    assert [level.means[SCORE].low_95 for level in named(importance(run))["rate"].levels] == [None] * 3


def test_few_trials_have_means_and_no_shares(tmp_path):
    found = importance(search(tmp_path / "r", 12, by_rate))
    assert "12 trials" in found.too_few
    assert "4 hyperparameters" in found.too_few
    assert sorted(re.findall(r"\d+", found.too_few)) == sorted(["12", "4", "20", "3", "20"])
    assert {each.effects[SCORE].share for each in found.hyperparameters} == {None}
    assert {each.effects[SCORE].p_value for each in found.hyperparameters} == {None}
    assert named(found)["rate"].levels[0].means[SCORE].mean > 0.8


@pytest.mark.parametrize("hyperparameters", [1, 6, 7, 20])
def test_the_trials_needed_grow_with_the_hyperparameters(hyperparameters):
    needed = max(MIN_TRIALS, MIN_TRIALS_EACH * hyperparameters)
    assert too_few(needed, hyperparameters) is None
    assert too_few(needed - 1, hyperparameters) is not None


def test_a_constant_hyperparameter_is_left_out(tmp_path):
    found = importance(
        search(tmp_path / "r", 24, by_rate, values=lambda n, rng: {**draw(n, rng), "padding": "same"})
    )
    assert found.constant == {"padding": "same"}
    assert "padding" not in named(found)


def conditional(number, rng):
    """A second width only where there are two layers."""
    layers = rng.choice([1, 2])
    second = {"width_2": rng.choice([16, 64])} if layers == 2 else {}
    return {**draw(number, rng, noise=0), "layers": layers, **second}


def by_second_width(values):
    return {None: 0.5, 16: 0.3, 64: 0.9}[values.get("width_2")]


def test_a_conditional_hyperparameter_is_judged_among_the_trials_where_it_is_active(tmp_path):
    run = search(tmp_path / "r", 60, by_second_width, values=conditional)
    second = named(importance(run))["width_2"]
    assert second.conditional
    assert second.trials == sum("width_2" in trial.values for trial in run.trials) < 60
    assert second.effects[SCORE].share.share > 0.8


def test_a_hyperparameter_active_in_few_trials_has_no_share(tmp_path):
    found = named(importance(search(tmp_path / "r", 30, by_second_width, values=conditional)))
    assert found["width_2"].trials < MIN_TRIALS
    assert found["width_2"].effects[SCORE].share is None
    assert found["rate"].effects[SCORE].share is not None


def test_trials_that_failed_are_left_out_and_counted(tmp_path):
    run = search(tmp_path / "r", 40, by_rate, fails=lambda values: values["width"] == 64)
    found = importance(run)
    failed = sum(trial.values["width"] == 64 for trial in run.trials)
    assert found.observations.left_out == {"failed": failed}
    assert len(found.observations.trials) == 40 - failed
    assert [level.failed for level in named(found)["width"].levels] == [0, 0, failed]


def test_a_value_whose_trials_fail_more_often_is_named(tmp_path):
    run = search(tmp_path / "r", 40, by_rate, fails=lambda values: values["width"] == 64)
    failed = sum(trial.values["width"] == 64 for trial in run.trials)
    (sentence,) = importance(run).failing
    for part in ("width 64", f"{failed} of {failed} trials", f"0 of {40 - failed}", "p < 0.0001"):
        assert part in sentence


def test_failures_spread_by_chance_name_no_value(tmp_path):
    found = importance(
        search(tmp_path / "r", 40, by_rate, fails=lambda values: values["noise_0"] == values["noise_1"])
    )
    assert found.observations.failed
    assert found.failing == ()


@pytest.mark.parametrize(
    ("config", "adaptive"),
    [
        ({"algorithm": "random"}, False),
        ({"algorithm": "asha", "sampler": "random"}, False),
        ({"algorithm": "hyperband", "sampler": "random"}, False),
        ({"algorithm": "hyperband", "sampler": "tpe"}, True),
        ({"algorithm": "bayesian", "sampler": "tpe"}, True),
    ],
)
def test_where_scores_chose_the_configurations_there_are_no_p_values(tmp_path, config, adaptive):
    found = importance(search(tmp_path / "r", 24, by_rate, config=request(**config)))
    assert (named(found)["rate"].effects[SCORE].p_value is None) == adaptive
    assert bool(found.caveats) == adaptive
    assert named(found)["rate"].effects[SCORE].share is not None


def hyperband(path, images=(50, 50)):
    """A bracket of rungs of one and three epochs, and one of three at once; trials improve by the epoch.

    An epoch of each bracket sees so many images.
    """
    path.mkdir()
    facts = {**FACTS, "objective": "val_x", "direction": "max", "config": request()}
    store = Store.create(path / STORE_FILE, facts)
    for trial_id, bracket, last in (("0001", 0, 1), ("0002", 0, 3), ("0003", 1, 3), ("0004", 0, 1)):
        store.start_rung(record(trial_id, bracket=bracket))
        for number in range(1, last + 1):
            rung = int(bracket == 0 and number > 1)
            if rung and number == 2:
                store.start_rung(record(trial_id, bracket=bracket, rung=1))
            fresh = Epoch({"val_x": number / 10}, float(number), 0.5, images[bracket])
            done = EpochDone(trial_id, rung, number, fresh)
            store.record_epoch(done, number / 10, {"spent_s": 1.0})
        store.finish_rung(trial_id, int(bracket == 0 and last > 1), "COMPLETED", 10, 5.0)
    store.close()
    return open_run(path)


def test_trials_are_compared_where_the_shortest_first_rung_ended(tmp_path):
    observed = importance(hyperband(tmp_path / "r")).observations
    assert observed.epochs == 1
    assert [trial.score for trial in observed.trials] == [0.1] * 4
    assert [trial.seconds for trial in observed.trials] == [1.0] * 4


def test_trials_whose_first_rung_saw_another_share_of_the_data_are_left_out(tmp_path):
    run = hyperband(tmp_path / "r", images=(50, 150))
    observed = importance(run).observations
    assert [trial.trial_id for trial in observed.trials] == ["0001", "0002", "0004"]
    assert observed.left_out == {"on another share of the data": 1}


def test_a_trial_that_stopped_for_want_of_gain_is_compared_by_its_best(tmp_path):
    path = tmp_path / "r"
    path.mkdir()
    facts = {**FACTS, "objective": "val_x", "direction": "min", "config": request(algorithm="random")}
    store = Store.create(path / STORE_FILE, facts)
    for trial_id, values in (("0001", (0.5, 0.4, 0.6)), ("0002", (0.3, 0.7))):
        store.start_rung(record(trial_id))
        for number, value in enumerate(values, start=1):
            epoch(store, trial_id, 0, number, {"val_x": value}, None)
        store.finish_rung(trial_id, 0, "COMPLETED", 10, 0.0)
    store.start_rung(record("0003"))
    epoch(store, "0003", 0, 1, {"val_x": 0.1}, 0.1)
    store.close()
    observed = importance(open_run(path)).observations
    assert observed.epochs == 3
    assert [trial.score for trial in observed.trials] == [0.4, 0.3]
    assert observed.left_out == {"unfinished": 1}


@pytest.mark.parametrize("stopped", [False, True])
def test_where_no_trial_came_to_the_end_of_its_first_rung_nothing_is_compared(tmp_path, stopped):
    observed = observe(unfinished_run(tmp_path / "r", stopped))
    assert observed.trials == ()
    assert observed.left_out == {"unfinished": 1}


def test_values_of_a_logarithmic_hyperparameter_count_by_their_order_of_magnitude(tmp_path):
    declared = {"space": [{"class_name": "Float", "config": {"name": "rate", "sampling": "log"}}]}
    run = search(
        tmp_path / "r",
        40,
        lambda values: 0.5 if values["rate"] < 0.001 else 0.9,
        values=lambda n, rng: {**draw(n, rng), "rate": 10 ** rng.uniform(-5, -1)},
        hyperparameters=declared,
    )
    rate = named(importance(run))["rate"]
    assert rate.effects[SCORE].share.share > 0.5
    assert len(rate.levels) == 4
    assert all(".." in level.label for level in rate.levels)
    assert sum(level.trials for level in rate.levels) == 40


def test_trials_without_a_finite_score_are_not_compared(tmp_path):
    assert importance(search(tmp_path / "r", 3, lambda _: math.inf)).observations.trials == ()


@pytest.mark.parametrize(
    ("score", "differs"), [(by_rate, True), (lambda _: 0.5, False)], ids=["effect", "noise"]
)
def test_a_single_hyperparameter_has_no_share_by_construction(tmp_path, score, differs):
    def values(_, rng):
        return {"rate": rng.choice([0.1, 0.01, 0.001]), "width": 16}

    found = importance(search(tmp_path / "r", 40, score, values=values))
    (alone,) = found.hyperparameters
    effect = alone.effects[SCORE]
    assert effect.share is None
    assert (effect.p_value < 0.01) == differs
    assert "'rate'" in found.too_few
    assert [level.means[SCORE].mean for level in alone.levels]


@pytest.mark.parametrize(("trials", "sampled"), [(30, False), (31, True)])
def test_that_shares_are_of_samples_is_said_where_they_are(tmp_path, monkeypatch, trials, sampled):
    for module in ("fanova", "importance"):
        monkeypatch.setattr(f"tuner.analysis.{module}.SAMPLE", 30)
    found = importance(search(tmp_path / "r", trials, by_rate))
    assert [" 30 of the 31 trials " in sentence for sentence in found.caveats] == [True] * sampled
