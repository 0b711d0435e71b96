"""Checkpoints at a URL instead of in a folder of this machine."""

import numpy as np
import pytest

from tuner.errors import StorageError, UsageError
from tuner.files import copy_file, location, reaching, remove_file, remove_tree, replace_bytes, replace_text
from tuner.results.run_folder import RunFolder
from tuner.results.schema import CHECKPOINTS
from tuner.training.checkpoint import (
    BEST_FILE,
    STATE_FILE,
    Epoch,
    Snapshot,
    is_readable,
    read_history,
    save,
)
from tuner.tuning.checkpoints import Checkpoints

pytest.importorskip("upath")

HISTORY = (Epoch({"loss": 1.0}, 2.0, 1.5, 100), Epoch({"loss": 0.5}, 2.0, 1.5, 100))


@pytest.fixture
def storage(tmp_path):
    """A place in the memory of this process, which is reached as an object store is."""
    place = location(f"memory://{tmp_path.name}/bucket")
    yield place
    remove_tree(place, place.parent)


@pytest.fixture
def snapshot():
    weights = {"model_0": np.arange(12.0).reshape(3, 4)}
    return Snapshot(weights, {"optimizer_0": np.float32(3)})


def test_a_checkpoint_is_read_back_as_it_was_saved(storage, snapshot):
    save(storage / "0001", snapshot, lambda: (HISTORY, True))
    assert read_history(storage / "0001") == HISTORY
    assert is_readable(storage / "0001" / BEST_FILE)


def test_a_checkpoint_that_is_not_there_has_no_epochs(storage):
    assert read_history(storage / "0002") == ()
    assert not is_readable(storage / "0002" / BEST_FILE)


def test_the_search_keeps_what_it_needs_and_deletes_the_rest(storage, snapshot, tmp_path):
    for trial_id in ("0001", "0002", "0003"):
        save(storage / CHECKPOINTS / trial_id, snapshot, lambda: (HISTORY, True))
    checkpoints = Checkpoints(RunFolder(tmp_path, storage))
    storage /= CHECKPOINTS
    checkpoints.prune({"0002": 1}, lambda trial_id: trial_id == "0003")
    assert sorted(path.name for path in storage.iterdir()) == ["0002", "0003"]
    assert [path.name for path in (storage / "0002").iterdir()] == [BEST_FILE]
    assert sorted(path.name for path in (storage / "0003").iterdir()) == [BEST_FILE, STATE_FILE]
    assert checkpoints.prepare_weights("0002", 2)
    assert not checkpoints.prepare_weights("0001", 2)


def test_a_file_appears_whole_or_not_at_all(storage, monkeypatch):
    replace_text(storage / "mark", "first")
    monkeypatch.setattr(storage.fs, "put_file", _full)
    with pytest.raises(StorageError, match="No space left"):
        replace_bytes(storage / "mark", b"second")
    assert (storage / "mark").read_text() == "first"


def _full(*_):
    raise OSError(28, "No space left on device")


def test_a_file_is_copied_to_this_machine(storage, tmp_path):
    replace_bytes(storage / "deep" / "mark", b"text")
    copy_file(storage / "deep" / "mark", tmp_path / "mark")
    assert (tmp_path / "mark").read_bytes() == b"text"


def test_a_folder_is_a_path_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert location("shared") == tmp_path / "shared"


def test_a_kind_of_storage_that_there_is_not_is_named():
    with pytest.raises(UsageError, match="nowhere"):
        location("nowhere://bucket")


class Unreachable:
    """A path of storage whose library raises what no other does."""

    def unlink(self, **_):
        raise RuntimeError("no route\nto host")

    def __str__(self):
        return "s3://bucket/state.npz"


def test_storage_out_of_reach_is_told_in_one_way_whatever_its_library_raises():
    path = Unreachable()
    with (
        pytest.raises(StorageError, match=r"cannot reach 's3:.*': RuntimeError: no route to host"),
        reaching(path),
    ):
        path.unlink()
    remove_file(path)


def test_a_file_that_is_missing_elsewhere_is_missing():
    with pytest.raises(FileNotFoundError), reaching(Unreachable()):
        raise FileNotFoundError


def test_a_bucket_is_never_made_in_passing(monkeypatch):
    class Bucket:
        drive, path = "buckte", "buckte/run"

        @property
        def fs(self):
            return self

        def exists(self, _):
            return False

    monkeypatch.setattr("upath.UPath", lambda _: Bucket())
    with pytest.raises(UsageError, match="there is no bucket 'buckte'"):
        location("s3://buckte/run")
