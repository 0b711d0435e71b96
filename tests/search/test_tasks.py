"""What a trial on record becomes when it is to be trained."""

from tests.results.records import record
from tuner.config import make_config
from tuner.search.checkpoints import Checkpoints
from tuner.search.oracles import make_plan
from tuner.search.tasks import Tasks
from tuner.training.checkpoint import Epoch
from tuner.training.task import Objective


def history(*values):
    return tuple(Epoch({"val_loss": value}, 1.0, 1.0, 10) for value in values)


def tasks(folder, **request):
    config = make_config({"max_trials": 27, "max_epochs": 9, "patience": 2, **request})
    return Tasks(config, make_plan(config), Objective("val_loss", "min"), {}, Checkpoints(folder))


def test_epochs_on_part_of_the_data_do_not_count_for_patience(tmp_path):
    made = tasks(tmp_path, fidelity="data")
    first, *_, last = made.all_rungs(record("0001", rung=2, epochs=100))
    assert (first.data_share < 1, last.data_share) == (True, 1.0)
    partial = history(0.1, *[1.0] * (last.partial_epochs - 1))
    assert not first.is_over(partial)
    assert not last.is_over(partial)
    assert not last.is_over((*partial, *history(1.0)))
    assert last.is_over((*partial, *history(1.0, 1.0)))


def test_where_all_rungs_see_all_data_all_epochs_count(tmp_path):
    _, last = tasks(tmp_path).all_rungs(record("0001", rung=1, epochs=100))
    assert last.partial_epochs == 0
    assert last.is_over(history(0.1, 1.0, 1.0))


def test_all_epochs_on_record_are_trained_rung_by_rung(tmp_path):
    made = tasks(tmp_path).all_rungs(record("0001", rung=2, epochs=7))
    assert [(task.rung, task.epochs) for task in made] == [(0, 1), (1, 3), (2, 7)]
    assert {task.epochs_reported for task in made} == {7}
