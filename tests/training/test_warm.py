import shutil

import pytest

from tests.training.models import LOSS, Hypermodel, assert_same_state, run, small
from tuner.training import warm as warm_module
from tuner.training.warm import WarmTrials

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


def test_the_worst_trial_is_let_go_of_first(dataset, tmp_path, hypermodel, monkeypatch):
    monkeypatch.setattr(warm_module, "MAX_KEPT", 2)
    warm = WarmTrials()
    losses = {}
    for number in range(4):
        _, events = run(
            tmp_path / str(number), hypermodel, dataset, trial_id=str(number), seed=number, warm=warm
        )
        losses[str(number)] = events[-1].epoch.metrics[LOSS.name]
    built = len(hypermodel.built)
    best_two = sorted(losses, key=losses.get)[:2]
    for trial_id in sorted(losses):
        run(
            tmp_path / trial_id,
            hypermodel,
            dataset,
            trial_id=trial_id,
            seed=int(trial_id),
            epochs=2,
            epochs_reported=1,
            warm=WarmTrials() if trial_id not in best_two else warm,
        )
    assert len(hypermodel.built) == built + 2


def test_no_more_memory_is_held_than_allowed(dataset, tmp_path, hypermodel):
    warm = WarmTrials(max_mib=0.0)
    run(tmp_path, hypermodel, dataset, warm=warm)
    run(tmp_path, hypermodel, dataset, epochs=2, epochs_reported=1, warm=warm)
    assert len(hypermodel.built) == 2


def test_a_trial_that_is_never_promoted_is_not_kept(dataset, tmp_path, hypermodel):
    warm = WarmTrials()
    run(tmp_path, hypermodel, dataset, objective=None, warm=warm)
    assert len(warm) == 0
