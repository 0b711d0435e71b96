import shutil

import pytest

from tests.training.models import LOSS, Hypermodel, assert_same_state, run, small
from tuner.objective import Objective
from tuner.training import warm_trials
from tuner.training.checkpoint import Epoch, save, take_snapshot
from tuner.training.loop import KerasLoop
from tuner.training.task import TrainTask
from tuner.training.warm_trials import BuiltTrial, WarmTrials

pytestmark = pytest.mark.training


@pytest.fixture
def hypermodel():
    return Hypermodel(lambda _: small(dropout=0.5))


def test_a_promoted_trial_is_not_built_again_and_comes_out_the_same(dataset, tmp_path, hypermodel):
    warm = WarmTrials()
    run(tmp_path / "warm", hypermodel, dataset, epochs=1, warm=warm)
    run(tmp_path / "warm", hypermodel, dataset, epochs=3, epochs_reported=1, rung=1, warm=warm)
    assert len(hypermodel.built) == 1
    run(tmp_path / "once", hypermodel, dataset, epochs=3)
    assert_same_state(tmp_path / "warm", tmp_path / "once")


def test_a_trial_goes_on_after_others_were_built(dataset, tmp_path, hypermodel):
    warm = WarmTrials()
    for trial_id in ("0001", "0002"):
        run(tmp_path / trial_id, hypermodel, dataset, trial_id=trial_id, warm=warm)
    run(tmp_path / "0001", hypermodel, dataset, epochs=2, epochs_reported=1, warm=warm)
    assert len(hypermodel.built) == 2
    run(tmp_path / "once", hypermodel, dataset, epochs=2)
    assert_same_state(tmp_path / "0001", tmp_path / "once")


def test_a_trial_whose_checkpoint_is_gone_begins_anew(dataset, tmp_path, hypermodel):
    """As after a restart with smaller batches."""
    warm = WarmTrials()
    run(tmp_path / "trial", hypermodel, dataset, epochs=2, warm=warm)
    shutil.rmtree(tmp_path / "trial")
    run(tmp_path / "trial", hypermodel, dataset, epochs=2, batch_size=8, warm=warm)
    run(tmp_path / "once", hypermodel, dataset, epochs=2, batch_size=8)
    assert_same_state(tmp_path / "trial", tmp_path / "once")


@pytest.mark.parametrize("objective", [LOSS, Objective(LOSS.name, "max")], ids=["least", "most"])
def test_the_worst_trial_is_let_go_of_first(dataset, tmp_path, monkeypatch, objective):
    monkeypatch.setattr(warm_trials, "MAX_KEPT", 2)
    warm = WarmTrials()
    model = small()
    loop = KerasLoop(model, dataset.images, dataset.labels)
    tasks = {}
    for trial_id, loss in {"1": 0.3, "2": 0.2, "3": 0.4, "4": 0.1, "5": 0.5}.items():
        folder = tmp_path / trial_id
        tasks[trial_id] = TrainTask(trial_id, {}, 0, 1, 16, 0, objective, 1, folder)
        history = (Epoch({LOSS.name: loss}, 1.0, 1.0, 1),)
        save(folder, take_snapshot(model), lambda history=history: (history, True))
        warm.keep(tasks[trial_id], BuiltTrial(model, loop, history))
    kept = [trial_id for trial_id, task in tasks.items() if warm.take(task)]
    assert kept == (["2", "4"] if objective.direction == "min" else ["3", "5"])


def test_no_more_memory_is_held_than_allowed(dataset, tmp_path, hypermodel):
    warm = WarmTrials(max_mib=0.0)
    run(tmp_path, hypermodel, dataset, warm=warm)
    run(tmp_path, hypermodel, dataset, epochs=2, epochs_reported=1, warm=warm)
    assert len(hypermodel.built) == 2


def test_a_trial_that_is_never_promoted_is_not_kept(dataset, tmp_path, hypermodel):
    warm = WarmTrials()
    run(tmp_path, hypermodel, dataset, objective=None, warm=warm)
    assert len(warm) == 0
