import pytest

from tuner.results.run_folder import RunFolder
from tuner.results.schema import CHECKPOINTS
from tuner.training import checkpoint
from tuner.training.checkpoint import BEST_FILE, STATE_FILE, Epoch
from tuner.tuning.checkpoints import Checkpoints


@pytest.fixture
def path(tmp_path):
    for name in ("0001", "0002", "0003"):
        (tmp_path / CHECKPOINTS / name).mkdir(parents=True)
        for file in (STATE_FILE, BEST_FILE):
            (tmp_path / CHECKPOINTS / name / file).touch()
    return tmp_path / CHECKPOINTS


def files(path):
    return {folder.name: sorted(file.name for file in folder.iterdir()) for folder in path.iterdir()}


def test_the_best_keep_weights_those_that_may_continue_all_and_the_others_nothing(path):
    Checkpoints(RunFolder(path.parent, path.parent)).prune({"0002": 1}, lambda trial_id: trial_id == "0003")
    assert files(path) == {"0002": [BEST_FILE], "0003": sorted([STATE_FILE, BEST_FILE])}


def test_what_is_needed_is_looked_through_once_in_a_while(path):
    checkpoints, asked = Checkpoints(RunFolder(path.parent, path.parent)), []

    def may_continue(trial_id):
        asked.append(trial_id)
        return True

    for _ in range(100):
        checkpoints.refresh({}, may_continue)
    assert asked == ["0001", "0002", "0003"]


def test_what_is_no_longer_needed_goes_at_the_latest_when_it_is_asked_for(path):
    checkpoints = Checkpoints(RunFolder(path.parent, path.parent))
    checkpoints.refresh({}, lambda trial_id: True)  # noqa: ARG005
    checkpoints.prune({}, lambda trial_id: False)  # noqa: ARG005
    assert files(path) == {}


def test_weights_are_known_to_be_there(path):
    checkpoints = Checkpoints(RunFolder(path.parent, path.parent))
    assert checkpoints.prepare_weights("0001", 1)
    assert not checkpoints.prepare_weights("0009", 1)


def test_weights_of_fewer_epochs_are_not_those_of_the_trial_and_its_training_goes_on(path, monkeypatch):
    epoch = Epoch({"val_accuracy": 0.5}, 1.0, 1.0, 1)
    monkeypatch.setattr(checkpoint, "read_history", lambda _: (epoch, epoch))
    checkpoints = Checkpoints(RunFolder(path.parent, path.parent))
    assert not checkpoints.prepare_weights("0001", 3)
    checkpoints.prune({"0001": 3, "0002": 2}, lambda _: False)
    assert files(path) == {"0001": sorted([STATE_FILE, BEST_FILE]), "0002": [BEST_FILE]}
    assert checkpoints.prepare_weights("0002", 2)
