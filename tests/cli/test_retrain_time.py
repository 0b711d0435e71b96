"""`tuner best --retrain --max-time`: what is left when the time is over, and how it goes on."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import run_command
from tests.cli.retrainings import seed_folder, summary
from tests.pools import InlinePool, StubServer, stub_pool
from tuner.training.checkpoint import read_history
from tuner.training.task import RungDone

pytestmark = pytest.mark.training


def short_pool(**epochs: int) -> type[InlinePool]:
    """Return a pool in which time is over after so many epochs of a seed; others are trained to the end."""

    class Short(StubServer):
        left: float = 3600

        @staticmethod
        def score(_values, _epoch):
            return 0.5

        def _train(self, task, emit):
            # What is left is that of all seeds.
            assert task.left_s is not None
            assert 0 < task.left_s < Short.left
            Short.left = task.left_s
            name = task.trial_id.partition(" ")[2].replace(" ", "_")
            if name not in epochs:
                return super()._train(task, emit)
            if not epochs[name]:
                return RungDone(task.trial_id, task.rung, 0, False, True, 1, 0.1)
            return replace(super()._train(replace(task, epochs=epochs[name]), emit), timed_out=True)

    class ShortPool(InlinePool):
        def _serve(self, setup):
            return Short(setup)

    return ShortPool


def test_where_time_is_over_in_the_first_seed_its_last_epoch_is_the_model(long: Path, cache: Path):
    request = ("best", "--retrain", "--seeds", 2)
    result = run_command(*request, "--max-time", "1h", cwd=long, cache=cache, pool=short_pool(seed_0=12))
    assert result.code == 0, result.stderr
    (trial,) = summary(long)["trials"]
    assert (trial["epochs"], trial["planned_epochs"]) == (12, 30)
    assert [seed["seed"] for seed in trial["seeds"]] == [0]
    assert "12 of 30 epochs" in result.stdout
    for words in ("0 of 2 models", "tuner best first --retrain --seeds 2"):
        assert words in result.error_lines[-1]
    assert not seed_folder(long, 1).exists()
    again = run_command(*request, cwd=long, cache=cache, pool=stub_pool(lambda *_: 0.5))
    assert again.code == 0, again.stderr
    (trial,) = summary(long)["trials"]
    assert (trial["epochs"], trial["planned_epochs"], len(trial["seeds"])) == (30, 30, 2)
    assert not (seed_folder(long, 0) / "checkpoint").exists()


def test_a_seed_that_was_cut_short_is_not_compared_with_those_that_were_not(long: Path, cache: Path):
    result = run_command(
        *("best", "--retrain", "--seeds", 3, "--max-time", "1h"),
        cwd=long,
        cache=cache,
        pool=short_pool(seed_1=12),
    )
    assert result.code == 0, result.stderr
    (trial,) = summary(long)["trials"]
    assert ([seed["seed"] for seed in trial["seeds"]], trial["epochs"]) == ([0], 30)
    assert "1 of 3 models" in result.error_lines[-1]
    # What it takes to go on.
    assert len(read_history(seed_folder(long, 1) / "checkpoint")) == 12


def test_time_that_is_over_before_the_first_epoch_is_an_error(long: Path, cache: Path):
    result = run_command(
        *("best", "--retrain", "--max-time", "1h"), cwd=long, cache=cache, pool=short_pool(seed_0=0)
    )
    assert result.code == 1
    assert result.stdout == ""
    assert "--max-time" in result.error_lines[-1]
