"""Asynchronous promotion as a user meets it."""

import csv
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import Run, run_command
from tests.pools import stub_pool

pytestmark = pytest.mark.training


@pytest.fixture
def stub(tmp_path, cache):
    """Run `tuner` with a worker that trains nothing: what learns faster scores better."""
    pool = stub_pool(lambda values, epoch: values["learning_rate"] * 100 + epoch / 100)
    return partial(run_command, cwd=tmp_path, cache=cache, pool=pool)


SMALL = ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")


def test_the_plan_says_that_it_may_be_more(tuner: Run, images: Path) -> None:
    result = tuner("search", "--data", images, "--algorithm", "asha", "--dry-run")
    assert result.code == 0, result.stderr
    assert "plan   asha with tpe, 50 trials, 117 epochs of training or some more" in result.stderr
    line = " 1     50 trials to epoch 1, best 16 to 3, best 5 to 10; some more, as no rung waits to be full"
    assert line in result.stderr.splitlines()


def test_epochs_in_all_are_kept_and_the_plan_says_so(stub, images: Path, tmp_path: Path) -> None:
    result = stub(
        *("search", "--data", images, "--algorithm", "asha", "--sampler", "random", "--patience", 0),
        *("--max-trials", 9, "--max-epochs", 9, "--max-epochs-total", 12, "--name", "short", *SMALL),
    )
    assert result.code == 0, result.stderr
    assert "asha with random, 9 trials, at most 12 epochs of training" in result.stderr
    with (tmp_path / "results" / "short" / "trials.csv").open(encoding="utf-8", newline="") as file:
        trials = list(csv.DictReader(file))
    assert sum(int(trial["epochs"]) for trial in trials) == 12


def test_it_promotes_the_best_of_each_rung(stub, images: Path, tmp_path: Path) -> None:
    result = stub(
        *("search", "--data", images, "--algorithm", "asha", "--patience", 0),
        *("--max-trials", 4, "--max-epochs", 2, "--factor", 2, "--name", "whole", *SMALL),
    )
    assert result.code == 0, result.stderr
    with (tmp_path / "results" / "whole" / "trials.csv").open(encoding="utf-8", newline="") as file:
        trials = list(csv.DictReader(file))
    epochs = Counter(int(trial["epochs"]) for trial in trials)
    assert epochs[1] + epochs[2] == 4
    assert epochs[2] >= 2
    best = max(float(trial["hp.learning_rate"]) for trial in trials)
    assert "2" in {trial["epochs"] for trial in trials if float(trial["hp.learning_rate"]) == best}
