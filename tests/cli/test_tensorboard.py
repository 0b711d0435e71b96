"""`--tensorboard` from the command line."""

from functools import partial
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.cli.conftest import run_command
from tests.pools import stub_pool
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store

pytestmark = pytest.mark.training

SMALL = ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")


def steps(run: Path, part: str) -> list[int]:
    events = EventAccumulator(str(run / "tensorboard" / "0001" / part)).Reload()
    return [event.step for event in events.Scalars("accuracy")]


@pytest.fixture
def stub(tmp_path, cache):
    """Run `tuner` with a worker that trains nothing: it is the driver that writes."""
    return partial(run_command, cwd=tmp_path, cache=cache, pool=stub_pool(lambda _, epoch: epoch / 10))


def test_a_search_writes_each_epoch_once_even_if_a_trial_is_taken_up_again(
    stub, images: Path, tmp_path: Path
) -> None:
    run = tmp_path / "results" / "first"
    request = ("search", "--data", images, "--name", "first", "--max-trials", 1, "--max-epochs", 2, *SMALL)
    # The one epoch that it may train leaves the trial unfinished.
    result = stub(*request, "--tensorboard", "--max-epochs-total", 1)
    assert result.code == 0, result.stderr
    assert f"tensorboard --logdir {Path('results/first/tensorboard')}" in result.stderr
    assert steps(run, "train") == steps(run, "validation") == [1]
    result = stub("resume", "first", "--max-epochs-total", 2)
    assert result.code == 0, result.stderr
    store = Store(run / STORE_FILE)
    assert store.trial("0001").epochs == 2
    store.close()
    assert steps(run, "train") == steps(run, "validation") == [1, 2]


def test_a_search_without_it_writes_nothing_for_tensorboard(stub, images: Path, tmp_path: Path) -> None:
    result = stub("train", "--data", images, "--name", "plain", "--max-epochs", 1, *SMALL)
    assert result.code == 0, result.stderr
    assert not (tmp_path / "results" / "plain" / "tensorboard").exists()
