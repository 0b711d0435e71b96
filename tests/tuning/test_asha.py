"""Asynchronous successive halving, held to its paper; the contract of every algorithm is in test_oracles."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tuning.oracle_runs import config_for, oracle_for, small_space
from tuner.tuning.oracles import make_plan
from tuner.tuning.oracles.rungs import Standing

SCORES = st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=30, max_size=30)


def algorithm_2(max_trials, num_rungs, factor, score):
    """Yield the jobs (trial, rung) of one worker: algorithm 2 of Li et al. 2020, line by line."""
    rungs = [{} for _ in range(num_rungs)]  # trial -> score, of all that have completed it
    promoted = [set() for _ in range(num_rungs)]
    begun = 0

    def get_job():
        nonlocal begun
        for k in reversed(range(num_rungs - 1)):
            top = sorted(rungs[k], key=lambda trial: (-rungs[k][trial], trial))[: len(rungs[k]) // factor]
            promotable = [trial for trial in top if trial not in promoted[k]]
            if promotable:
                promoted[k].add(promotable[0])
                return promotable[0], k + 1
        if begun == max_trials:
            return None
        begun += 1
        return begun, 0

    while (job := get_job()) is not None:
        yield job
        trial, rung = job
        rungs[rung][trial] = score(trial, rung)


def job(trial):
    return int(trial.trial_id), trial.hyperparameters.values["tuner/round"]


def end(oracle, trial, score):
    trial.status, trial.score = ("FAILED", None) if score is None else ("COMPLETED", score)
    oracle.end_trial(trial)


def jobs(oracle, score):
    """Train what the Oracle asks for, one after the other, until it stops; return it."""
    found = []
    while (trial := oracle.create_trial("worker-0")).status == "RUNNING":
        found.append(job(trial))
        end(oracle, trial, score(*job(trial)))
    return found


def restored(oracle, done, score):
    """Put on record what a store holds after these jobs, of which the last was cut off."""
    standings = {}
    for position, (number, rung) in enumerate(done):
        running = position == len(done) - 1
        earlier = tuple(score(number, below) for below in range(rung))
        found = None if running else score(number, rung)
        standings[number] = Standing(0, rung, "RUNNING" if running else "COMPLETED", found, earlier)
    for number in sorted(standings):
        oracle.restore(f"{number:04d}", {"units": number}, standings[number])


@given(SCORES, st.integers(1, 30), st.sampled_from([1, 3, 9, 27]), st.integers(2, 4))
@settings(max_examples=40)
def test_one_worker_gets_the_jobs_of_the_papers_algorithm(scores, max_trials, max_epochs, factor):
    def score(trial, rung):
        return scores[trial - 1][rung % 4]

    oracle = oracle_for("asha", max_trials=max_trials, max_epochs=max_epochs, factor=factor)
    num_rungs = len(oracle.plan.brackets[0].rungs)
    assert jobs(oracle, score) == list(algorithm_2(max_trials, num_rungs, factor, score))


@pytest.mark.parametrize("seed", range(5))
def test_a_longer_search_gets_the_jobs_of_the_papers_algorithm(seed):
    noise = random.Random(seed)
    scores = [[noise.random() for _ in range(4)] for _ in range(500)]

    def score(trial, rung):
        return scores[trial - 1][rung]

    oracle = oracle_for("asha", max_trials=500, max_epochs=27, seed=seed)
    assert jobs(oracle, score) == list(algorithm_2(500, 4, 3, score))


@given(SCORES, st.data())
@settings(max_examples=40)
def test_a_search_killed_in_a_job_goes_on_with_it_and_with_the_same_ones_after_it(scores, data):
    """What a trial scored in each rung counts, not what it scored last."""

    def score(trial, rung):
        return scores[trial - 1][rung]

    uncut = jobs(oracle_for("asha", max_trials=30, max_epochs=27), score)
    cut = data.draw(st.integers(1, len(uncut)))
    oracle = oracle_for("asha", max_trials=30, max_epochs=27)
    restored(oracle, uncut[:cut], score)
    assert jobs(oracle, score) == uncut[cut - 1 :]


@given(SCORES, st.integers(2, 8), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=40)
def test_no_worker_waits_while_configurations_are_left(scores, workers, order, failing):
    oracle = oracle_for("asha", max_trials=30, max_epochs=27)
    under_way = []
    while True:
        trial = oracle.create_trial(f"worker-{len(under_way)}")
        if trial.status == "RUNNING":
            under_way.append(trial)
        else:
            # Either all have begun, or those that train may make up the number.
            sound = [trial for trial in oracle.trials.values() if trial.status != "FAILED"]
            assert len(sound) == 30
        if not under_way:
            break
        if trial.status != "RUNNING" or len(under_way) == workers:
            ended = under_way.pop(order.randrange(len(under_way)))
            number, rung = job(ended)
            failed = failing and order.random() < 0.1
            end(oracle, ended, None if failed else scores[(number - 1) % 30][rung])


@given(SCORES, st.integers(1, 8), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_whoever_is_promoted_was_expected_to_be_able_to(scores, workers, order):
    """Checkpoints of the others may be deleted at any time."""
    oracle = oracle_for("asha", max_trials=30, max_epochs=27)
    given_up, under_way = set(), []
    while (trial := oracle.create_trial(f"{len(under_way)}")).status == "RUNNING" or under_way:
        if trial.status == "RUNNING":
            assert trial.trial_id not in given_up
            under_way.append(trial)
        if trial.status != "RUNNING" or len(under_way) == workers:
            ended = under_way.pop(order.randrange(len(under_way)))
            number, rung = job(ended)
            end(oracle, ended, scores[number - 1][rung])
        given_up |= {trial_id for trial_id in oracle.trials if not oracle.may_continue(trial_id)}
    assert given_up == set(oracle.trials)


def test_a_trial_outside_the_best_of_all_that_a_rung_can_hold_is_given_up():
    oracle = oracle_for("asha", max_trials=9, max_epochs=3)
    for score in (0.9, 0.8, 0.7, 0.6):
        trial = oracle.create_trial("worker-0")
        while job(trial)[1]:
            end(oracle, trial, 0.95)
            trial = oracle.create_trial("worker-0")
        end(oracle, trial, score)
    assert [oracle.may_continue(f"{number:04d}") for number in (2, 3, 4)] == [True, True, False]


def test_scores_that_come_best_first_keep_the_plan_to_the_epoch():
    oracle = oracle_for("asha", max_trials=50, max_epochs=10)
    found = jobs(oracle, lambda trial, rung: -trial)  # noqa: ARG005
    rungs = oracle.plan.brackets[0].rungs
    assert [sum(rung == k for _, rung in found) for k in range(3)] == [rung.trials for rung in rungs]


def test_scores_that_come_best_last_promote_more():
    oracle = oracle_for("asha", max_trials=50, max_epochs=10)
    found = jobs(oracle, lambda trial, rung: trial)  # noqa: ARG005
    assert sum(rung == 1 for _, rung in found) > oracle.plan.brackets[0].rungs[1].trials


def test_a_promoted_trial_that_fails_makes_room_for_the_next_best():
    """It counts nowhere any more, so that a new configuration takes its place as well."""
    oracle = oracle_for("asha", max_trials=6, max_epochs=3)
    failures = iter([True])
    found = jobs(oracle, lambda trial, rung: None if rung and next(failures, False) else float(-trial))
    assert sum(rung == 0 for _, rung in found) == 7
    assert len({trial for trial, rung in found if rung == 1}) == 3


def test_an_exhausted_space_ends_when_nothing_more_can_be_promoted():
    oracle = oracle_for("asha", small_space(), max_trials=50)
    found = jobs(oracle, lambda trial, rung: -trial)  # noqa: ARG005
    assert [sum(rung == k for _, rung in found) for k in range(3)] == [18, 6, 2]


def test_lower_rungs_may_see_part_of_the_data():
    plan = make_plan(config_for("asha", max_trials=9, max_epochs=9, fidelity="data"))
    assert plan.brackets[0].factor == 3
    assert [(rung.trials, rung.data_share) for rung in plan.brackets[0].rungs] == [
        (9, 1 / 9),
        (3, 1 / 3),
        (1, 1),
    ]
