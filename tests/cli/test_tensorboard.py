"""`--tensorboard` from the command line."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.cli.conftest import Run
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store

pytestmark = pytest.mark.training

REQUEST = ("--max-epochs", 2, "--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")


def steps(run: Path, part: str) -> list[int]:
    events = EventAccumulator(str(run / "tensorboard" / "0001" / part)).Reload()
    return [event.step for event in events.Scalars("accuracy")]


def test_a_search_writes_each_epoch_once_even_if_a_trial_is_taken_up_again(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    run = tmp_path / "results" / "first"
    request = ("search", "--data", images, "--name", "first", "--max-trials", 1, *REQUEST)
    # The one epoch that it may train leaves the trial unfinished.
    result = tuner(*request, "--tensorboard", "--max-epochs-total", 1)
    assert result.code == 0, result.stderr
    assert f"tensorboard --logdir {Path('results/first/tensorboard')}" in result.stderr
    assert steps(run, "train") == steps(run, "validation") == [1]
    result = tuner("resume", "first", "--max-epochs-total", 2)
    assert result.code == 0, result.stderr
    store = Store(run / STORE_FILE)
    assert store.trial("0001").epochs == 2
    store.close()
    assert steps(run, "train") == steps(run, "validation") == [1, 2]


def test_a_search_without_it_writes_nothing_for_tensorboard(tuner: Run, images: Path, tmp_path: Path) -> None:
    result = tuner("train", "--data", images, "--name", "plain", "--max-epochs", 1, "--hp", "filters=20")
    assert result.code == 0, result.stderr
    assert not (tmp_path / "results" / "plain" / "tensorboard").exists()
