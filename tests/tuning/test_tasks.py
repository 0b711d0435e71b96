"""What a trial on record becomes when it is to be trained."""

from dataclasses import asdict

import pytest

from tests.results.records import record
from tuner.config import make_config
from tuner.results.run_folder import RunFolder
from tuner.results.schema import TRAINING
from tuner.training.checkpoint import Epoch
from tuner.training.compute import DEFAULT_COMPUTE
from tuner.tuning.checkpoints import Checkpoints
from tuner.tuning.oracles import make_plan
from tuner.tuning.tasks import Tasks


def history(*values):
    return tuple(Epoch({"val_loss": value}, 1.0, 1.0, 10) for value in values)


def tasks(folder, **request):
    asked = {"max_trials": 27, "max_epochs": 9, "patience": 2, "objective": "val_loss", **request}
    config = make_config(asked)
    facts = {"compute": asdict(DEFAULT_COMPUTE), TRAINING: []}
    return Tasks(config, make_plan(config), facts, Checkpoints(RunFolder(folder, folder)))


@pytest.mark.parametrize("rung", [0, 1, 2])
@pytest.mark.parametrize(
    ("fidelity", "shares"),
    [
        ("epochs", [1.0] * 9),
        ("part", [1 / 3, *[1.0] * 8]),
        ("data", [*[1 / 9] * 9, *[1 / 3] * 6, *[1.0] * 6]),
    ],
)
def test_what_an_epoch_sees_does_not_depend_on_the_rung_in_which_it_is_trained(
    tmp_path, fidelity, shares, rung
):
    """A trial that begins again, after damage or for want of memory, does so in the rung that it is in."""
    task = tasks(tmp_path, fidelity=fidelity).make(record("0001", rung=rung), 9, left_s=None)
    assert [task.share(epoch) for epoch in range(1, len(shares) + 1)] == pytest.approx(shares)


def test_epochs_on_part_of_the_data_do_not_count_for_patience(tmp_path):
    task = tasks(tmp_path, fidelity="data").make(record("0001", rung=2), 21, left_s=None)
    partial = history(0.1, *[1.0] * 14)
    assert not task.is_over(partial)
    assert not task.is_over((*partial, *history(1.0)))
    assert task.is_over((*partial, *history(1.0, 1.0)))


def test_where_all_rungs_see_all_data_all_epochs_count(tmp_path):
    task = tasks(tmp_path, fidelity="epochs").make(record("0001", rung=1), 9, left_s=None)
    assert task.is_over(history(0.1, 1.0, 1.0))
