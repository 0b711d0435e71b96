"""What a worker answers to each request, asked in the test's own process."""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from search_spaces import DataSpec
from tests.workers.pools import DESCRIBE, events, setup_for, task
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.training.task import EpochDone, RungDone, StepsDone
from tuner.workers.protocol import (
    Description,
    Explain,
    Explained,
    Failure,
    FinishModel,
    Halt,
    Member,
    ModelDone,
    WorkerSetup,
)
from tuner.workers.serve import Server

pytestmark = pytest.mark.training

RAISES_AT_IMPORT = "def half():\n    raise RuntimeError('not even imported')\n\n\nhalf()\n"
WITH_A_CONVOLUTION = """
import keras


def build(hp, spec):
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        keras.layers.Conv2D(2, 3),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""


def test_a_worker_says_where_it_computes_and_with_which_versions(inline):
    ready = inline.device()
    assert ready.device.startswith(("CPU, ", "GPU "))
    assert {"keras", "keras-tuner", "numpy"} <= ready.versions.keys()


def test_a_worker_describes_the_space(inline):
    found = inline.ask(DESCRIBE)
    assert isinstance(found, Description)
    names = [p["config"]["name"] for p in found.hyperparameters["space"]]
    assert (names[0], names[-2:]) == ("broken", ["units", "optimizer"])
    assert found.metrics == ("loss", "accuracy", "val_loss", "val_accuracy", "val_auc")
    assert found.num_params == 192 * 4 + 4 + 4 + 1


def test_a_worker_trains_a_trial_and_reports_on_the_way(inline, folder):
    found = events(inline, task(folder, "0001", epochs=2, units=8))
    kinds = [type(event) for event in found]
    assert kinds.count(EpochDone) == 2
    assert StepsDone in kinds
    assert kinds[-1] is RungDone
    assert found[-1].num_params == 192 * 8 + 8 + 8 + 1


def test_a_worker_finishes_the_winner(inline, folder, dataset):
    inline.ask(task(folder, "0002"))
    found = inline.ask(FinishModel((Member({}, folder / "0002"),), "test"))
    assert isinstance(found, ModelDone)
    assert found.probabilities.shape == (len(dataset.splits["test"]), 2)
    assert zipfile.is_zipfile(io.BytesIO(found.model))


def test_a_worker_finishes_several_winners_as_one_that_averages_them(inline, folder):
    members = [Member({}, folder / trial_id) for trial_id in ("0003", "0004")]
    for member, seed in zip(members, (1, 2), strict=True):
        inline.ask(task(folder, member.checkpoint_dir.name, seed=seed))
    first, second = (inline.ask(FinishModel((member,), "test")).probabilities for member in members)
    found = inline.ask(FinishModel(tuple(members), "test"))
    assert isinstance(found, ModelDone)
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(found.probabilities, (first + second) / 2, atol=1e-5)


def test_a_worker_explains_what_the_winner_looked_at(tmp_path, dataset):
    server = Server(setup_for(tmp_path, dataset, WITH_A_CONVOLUTION))
    server.answer(task(tmp_path), lambda _: None)
    indices = dataset.splits["test"][:3]
    found = server.answer(Explain(Member({}, tmp_path / "0001"), indices, np.zeros(3, int)), lambda _: None)
    assert isinstance(found, Explained)
    assert found.heat is not None
    assert (found.heat.method, len(found.heat.maps)) == ("Grad-CAM", 3)


def test_a_space_that_raises_is_traced_from_its_own_file_on(inline, folder):
    found = inline.ask(task(folder, "0005", broken=True))
    assert isinstance(found, Failure)
    assert (found.trial_id, found.reason) == ("0005", "build")
    assert "RuntimeError: broken by its author" in found.message
    first, frame, *_ = found.traceback.splitlines()
    assert first == "Traceback (most recent call last):"
    assert frame.startswith(f'  File "{folder / "my_space.py"}"')
    assert "in fail" in found.traceback


def test_a_space_that_exits_fails_and_says_what_it_did(inline, folder):
    found = inline.ask(task(folder, "0006", exits=True))
    assert isinstance(found, Failure)
    assert found.reason == "crash"
    assert "SystemExit: enough" in found.message


def test_a_checkpoint_that_cannot_be_written_is_no_fault_of_the_trial(inline, folder):
    (folder / "file").write_text("in the way of a folder")
    event = events(inline, task(folder, "file"))[-1]
    assert isinstance(event, Halt)
    assert str(folder / "file") in event.message


def test_a_space_that_cannot_be_imported_is_traced_from_its_own_file_on(tmp_path, dataset):
    setup = setup_for(tmp_path, dataset, RAISES_AT_IMPORT)
    found = Server(setup).answer(DESCRIBE, lambda _: None)
    assert isinstance(found, Failure)
    assert (found.reason, "not even imported" in found.message) == ("build", True)
    assert found.traceback.splitlines()[1].startswith(f'  File "{tmp_path / "my_space.py"}"')


SHORT_OF_MEMORY = """
import keras

builds = []


def build(hp, spec):
    builds.append(hp)
    if len(builds) == WHICH:
        raise MemoryError("others have it")
    model = keras.Sequential([keras.Input(spec.image_shape), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
    return model
"""


def test_a_trial_that_lacks_the_memory_of_those_kept_for_promotion_gets_it(tmp_path, dataset):
    server = Server(setup_for(tmp_path, dataset, SHORT_OF_MEMORY.replace("WHICH", "2")))
    emitted = []
    for trial_id in ("0001", "0002"):
        assert isinstance(server.answer(task(tmp_path, trial_id), emitted.append), RungDone)
    epochs = [(event.trial_id, event.number) for event in emitted if isinstance(event, EpochDone)]
    assert epochs == [("0001", 1), ("0002", 1)]


def test_a_trial_that_lacks_the_memory_of_one_built_ahead_gets_it(tmp_path, dataset):
    server = Server(setup_for(tmp_path, dataset, SHORT_OF_MEMORY.replace("WHICH", "3")), warm_mib=0)
    server.look_ahead(task(tmp_path, "0003"))
    for trial_id in ("0001", "0002", "0003"):
        assert isinstance(server.answer(task(tmp_path, trial_id), lambda _: None), RungDone)


def test_a_trial_that_is_alone_and_lacks_memory_has_failed(tmp_path, dataset):
    server = Server(setup_for(tmp_path, dataset, SHORT_OF_MEMORY.replace("WHICH", "1")))
    found = server.answer(task(tmp_path), lambda _: None)
    assert isinstance(found, Failure)
    assert found.reason == "oom"


def test_a_space_that_is_nowhere_is_a_failure_without_a_traceback(dataset):
    setup = WorkerSetup(SpaceHyperModel("sequentail", DataSpec(dataset.image_shape, 2)), dataset)
    found = Server(setup).answer(DESCRIBE, lambda _: None)
    assert isinstance(found, Failure)
    assert "'sequential'" in found.message
    assert found.traceback == ""


ON_A_FULL_DISK = """
def build(hp, spec):
    with open("/dev/full", "w") as file:
        file.write("weights")
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no such device")
def test_a_full_disk_is_the_fault_of_no_space_and_stops_the_search(tmp_path, dataset):
    server = Server(setup_for(tmp_path, dataset, ON_A_FULL_DISK))
    for request in (DESCRIBE, task(tmp_path)):
        answer = server.answer(request, lambda _: None)
        assert isinstance(answer, Halt)
        assert "No space left" in answer.message


def test_a_folder_for_temporary_files_that_cannot_be_written_is_named(inline, folder, tmp_path, monkeypatch):
    events(inline, task(folder, "0042"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = inline.ask(FinishModel((Member({}, folder / "0042"),), "test"))
    assert isinstance(answer, Halt)
    assert "TMPDIR" in answer.message
