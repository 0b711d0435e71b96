"""Shares of variance: by hand, as Optuna computes them, and of samples of many trials."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.importance import FanovaImportanceEvaluator

from tuner.analysis import fanova


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    """Enough for what is tested here."""
    for name, number in (("RESAMPLES", 4), ("RESAMPLE_TREES", 2), ("TREES", 4), ("UNSEEN_TREES", 30)):
        monkeypatch.setattr(fanova, name, number)


def test_of_scores_that_are_all_the_same_no_hyperparameter_has_a_share():
    axes = {"rate": fanova.Axis(np.arange(20.0), -0.5, 19.5)}
    assert fanova.shares(axes, np.ones(20), 0, ["rate"]) == {"rate": fanova.Share(0.0, 0.0, 0.0)}
    assert fanova.unseen_r2(axes, np.ones(20), 0) == 0.0
    assert fanova.differing([np.ones(3), np.ones(4)]) == 1.0


def test_the_interval_of_a_mean_is_student_s():
    """By hand: mean 2, standard deviation 1, and 4.303 for two degrees of freedom."""
    half = 4.302653 / math.sqrt(3)
    assert fanova.mean_interval([1.0, 2.0, 3.0]) == pytest.approx((2 - half, 2 + half), abs=1e-6)


def test_shares_are_those_of_hutter_s_decomposition():
    """By hand: x + 2 y on a grid has a fifth of its variance from x and four fifths from y."""
    x, y = (each.ravel().astype(float) for each in np.meshgrid(range(8), range(8)))
    axes = {"x": fanova.Axis(x, -0.5, 7.5), "y": fanova.Axis(y, -0.5, 7.5)}
    found = fanova.shares(axes, x + 2 * y, 0, ["x", "y"])
    assert found["x"].share == pytest.approx(0.2, abs=0.05)
    assert found["y"].share == pytest.approx(0.8, abs=0.05)


def optuna_shares(axes, target, trees, seed):
    """What Optuna's evaluator, which walks each tree for each value, says of the same forest."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for row, value in enumerate(target):
        params = {name: float(axis.values[row]) for name, axis in axes.items()}
        bounds = {name: FloatDistribution(axis.low, axis.high) for name, axis in axes.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=bounds, value=float(value)))
    return FanovaImportanceEvaluator(n_trees=trees, seed=seed).evaluate(study)


def several_axes(trials):
    """Few values, many values and noise; the first two act together."""
    rng = np.random.default_rng(0)
    few, many = rng.integers(0, 3, trials).astype(float), rng.uniform(1e-4, 1e-1, trials)
    noise = rng.integers(0, 5, trials).astype(float)
    axes = {
        "zeta": fanova.Axis(few, -0.5, 2.5),
        "alpha": fanova.Axis(many, many.min(), many.max()),
        "noise": fanova.Axis(noise, -0.5, 4.5),
    }
    return axes, few * many + rng.normal(0, 0.01, trials)


@pytest.mark.parametrize("seed", [0, 3])
def test_shares_are_those_that_optuna_finds_tree_by_tree(seed):
    axes, target = several_axes(60)
    expected = optuna_shares(axes, target, fanova.TREES, seed)
    found = fanova.shares(axes, target, seed, list(axes))
    assert {name: share.share for name, share in found.items()} == pytest.approx(expected, rel=1e-9)


def test_a_hyperparameter_is_judged_alike_whichever_others_are_asked_for():
    axes, target = several_axes(60)
    assert fanova.shares(axes, target, 0, ["zeta"]) == {
        "zeta": fanova.shares(axes, target, 0, list(axes))["zeta"]
    }


def test_samples_of_many_trials_rank_hyperparameters_as_all_trials_do(monkeypatch):
    monkeypatch.setattr(fanova, "TREES", 20)
    axes, target = several_axes(1200)
    whole = fanova.shares(axes, target, 0, list(axes))
    monkeypatch.setattr(fanova, "SAMPLE", 150)
    sampled = fanova.shares(axes, target, 0, list(axes))
    assert sampled != whole
    assert sampled == fanova.shares(axes, target, 0, list(axes))
    for name, share in whole.items():
        assert sampled[name].share == pytest.approx(share.share, abs=0.1)
    assert min(sampled, key=lambda name: sampled[name].share) == "noise"
