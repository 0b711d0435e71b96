"""What a promotion is: with Hyperband, whose rungs wait until they are full."""

from tests.tuning.oracle_runs import closeness, oracle_for, run_oracle


def last_rung(steps, oracle):
    return [step for step in steps if step.rung == len(oracle.plan.brackets[step.bracket].rungs) - 1]


def test_a_minimized_objective_promotes_the_lowest_score():
    oracle = oracle_for("hyperband", objective="val_loss")
    steps = run_oracle(oracle, score=lambda values: 1.0 - closeness(values))
    first = [step for step in steps if (step.bracket, step.rung) == (0, 0)]
    best = min(first, key=lambda step: step.score)
    assert best.trial_id in {step.trial_id for step in last_rung(steps, oracle)}


def test_a_promotion_is_the_same_trial_with_more_epochs():
    """Keras Tuner's promotions are new trials: one configuration shows up to four times in its ranking."""
    steps = run_oracle(oracle_for("hyperband"))
    promoted = [step for step in steps if step.rung]
    first = {step.trial_id: step for step in steps if not step.rung}
    assert promoted
    assert all(step.values == first[step.trial_id].values for step in promoted)


def test_a_promotion_goes_on_where_the_trial_stood():
    before = {}
    for step in run_oracle(oracle_for("hyperband")):
        assert step.initial_epoch == before.get(step.trial_id, 0)
        assert step.epochs > step.initial_epoch
        before[step.trial_id] = step.epochs


def test_a_trial_stays_in_the_bracket_it_began_in():
    """Keras Tuner records the bracket under way, not the trial's."""
    brackets = {}
    for step in run_oracle(oracle_for("hyperband"), workers=3):
        assert brackets.setdefault(step.trial_id, step.bracket) == step.bracket


def test_a_rung_is_not_promoted_from_before_it_is_complete():
    under_way = oracle_for("hyperband", max_trials=9, max_epochs=9)
    places = under_way.plan.brackets[0].rungs[0].trials
    trials = [under_way.create_trial(f"worker-{number}") for number in range(places)]
    for trial in trials[:-1]:
        trial.status, trial.score = "COMPLETED", 0.5
        under_way.end_trial(trial)
    following = under_way.create_trial("worker-0")
    assert following.status == "IDLE" or following.hyperparameters.values["tuner/round"] == 0
