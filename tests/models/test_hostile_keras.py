"""A hostile .keras file is refused before Keras opens it, and the refusal says what in it is not allowed."""

import functools
import re

import keras
import numpy as np
import pytest

from tests.models import hostile_keras as hostile
from tests.sources.refusals import refusal
from tuner.errors import UsageError
from tuner.models.loading import describe_model, load_model

pytestmark = pytest.mark.training


@pytest.fixture(autouse=True)
def _keras_is_not_called(monkeypatch):
    def load(*_, **__):
        raise AssertionError("Keras has opened the file")

    monkeypatch.setattr(keras.models, "load_model", load)


def load(path):
    return load_model(describe_model(str(path), path.parent, ("FAKE", "REAL")), trust=False)


LAMBDA = {"class_name": "__lambda__", "config": {"value": "4wAAAA==", "defaults": None, "closure": None}}
PARTS = {
    "a lambda": (
        "Lambda",
        "keras.layers",
        {"name": "x", "function": LAMBDA},
        None,
        "a lambda, .* Python code",
    ),
    "a class of os": ("system", "os", {"command": "touch x"}, None, "the class system of os"),
    "a class by its name": ("x", None, {}, "os>system", "os>system"),
    "a function": ("function", "os", "system", "system", "the function system of os"),
    "a SavedModel": ("TFSMLayer", "keras.layers", {"filepath": "/tmp/x"}, None, "TFSMLayer.* SavedModel"),
    "a pickle": (
        "TorchModuleWrapper",
        "keras.layers",
        {"module": "gA=="},
        None,
        "TorchModuleWrapper.* pickled",
    ),
    "a file of words": (
        *("TextVectorization", "keras.layers", {"vocabulary": "/etc/passwd"}, None),
        "TextVectorization.* reads a file, '/etc/passwd'",
    ),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_model_may_hold_only_what_keras_brings(tmp_path, part):
    *described, words = part
    path = hostile.with_layer(tmp_path / "model.keras", *described)
    with refusal(UsageError, "model.keras") as caught:
        load(path)
    assert re.search(words, str(caught.value))


WEIGHTS = {
    hostile.external_storage: "another file on the disk .*secret",
    hostile.virtual_storage: "another file on the disk .*secret",
    hostile.external_link: "another file on the disk.*secret",
    hostile.soft_link: "link.*elsewhere",
    hostile.huge_shape: "4,096 MiB",
}


@pytest.mark.parametrize(("change", "words"), WEIGHTS.items(), ids=[each.__name__ for each in WEIGHTS])
def test_weights_may_not_lie_outside_of_the_file(tmp_path, change, words):
    (tmp_path / "secret").write_bytes(np.ones(192, np.float32).tobytes())
    change_it = functools.partial(change, target=tmp_path / "secret")
    with pytest.raises(UsageError, match=words):
        load(hostile.with_weights(tmp_path / "model.keras", change_it))


MEMBERS = {
    "../../x": "leaves the archive: '../../x'",
    "/x": "leaves the archive: '/x'",
    "C:\\x": "leaves the archive",
    "assets\\..\\..\\x": "leaves the archive",
}


@pytest.mark.parametrize(("name", "words"), MEMBERS.items())
def test_a_member_may_not_leave_the_archive(tmp_path, name, words):
    path = hostile.rewritten(tmp_path / "model.keras", lambda members: members.update({name: b""}))
    with pytest.raises(UsageError, match=re.escape(words)):
        load(path)


def test_an_archive_may_not_fill_the_memory(tmp_path):
    with pytest.raises(UsageError, match="MiB unpacked"):
        load(hostile.filled_archive(tmp_path / "model.keras"))


CONFIGS = {
    b"{": "no JSON",
    b"\xff": "no JSON",
    b"[]": "describes no model",
    b"[" * 100_000: "model.keras",
    None: "no config.json",
}


@pytest.mark.parametrize("contents", CONFIGS, ids=["half", "binary", "list", "deep", "none"])
def test_a_configuration_that_is_none_is_called_that(tmp_path, contents):
    def change(members):
        del members[hostile.CONFIG]
        if contents is not None:
            members[hostile.CONFIG] = contents

    path = hostile.rewritten(tmp_path / "model.keras", change)
    with pytest.raises(UsageError, match=CONFIGS[contents]):
        load(path)


def test_a_file_without_weights_or_with_others_is_refused(tmp_path):
    path = hostile.rewritten(tmp_path / "model.keras", lambda members: members.pop(hostile.WEIGHTS))
    with pytest.raises(UsageError, match="no weights in HDF5"):
        load(path)
    path = hostile.rewritten(path, lambda members: members.update({hostile.WEIGHTS: b"no HDF5"}))
    with pytest.raises(UsageError, match="no whole HDF5 file"):
        load(path)


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "model.keras").mkdir()
    with pytest.raises(UsageError, match="it is no file"):
        load(tmp_path / "model.keras")
