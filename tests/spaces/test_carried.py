"""Spaces on machines that lack their files: they come as contents, and no file of them is written."""

import inspect
import json
import pickle
import sys
import tempfile

import pytest

from search_spaces import DataSpec
from tuner.spaces.hypermodel import SpaceHyperModel, loaded_space
from tuner.training.source_code import code_hashes

SPEC = DataSpec((8, 8, 3), 2)
SOURCE = """
def build(hp, spec):
    return ("build", spec)
"""


@pytest.fixture
def path(tmp_path):
    yield tmp_path / "carried.py"
    loaded_space.cache_clear()


@pytest.fixture
def carried(path):
    """A space whose file is gone."""
    path.write_text(SOURCE, "utf-8", newline="\r\n")
    space = SpaceHyperModel(str(path), SPEC).carried()
    path.unlink()
    return space


def test_a_carried_notebook_is_built_where_its_file_is_not(path):
    notebook = path.with_suffix(".ipynb")
    notebook.write_text(json.dumps({"cells": [{"cell_type": "code", "source": SOURCE}]}), "utf-8")
    space = SpaceHyperModel(str(notebook), SPEC).carried()
    notebook.unlink()
    assert pickle.loads(pickle.dumps(space)).build(None) == ("build", SPEC)


def test_a_carried_space_neither_writes_nor_imports_anything_where_others_could_write(
    carried, tmp_path, monkeypatch
):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    before = list(sys.path)
    assert carried.build(None) == ("build", SPEC)
    assert list(shared.iterdir()) == []
    assert sys.path == before


def test_a_file_of_the_name_of_a_carried_space_does_not_take_its_place(carried, path):
    path.write_text(SOURCE.replace('"build"', '"planted"'), "utf-8")
    assert carried.build(None) == ("build", SPEC)


def test_a_carried_space_has_the_hash_of_its_file(carried, path):
    carried.load()
    away = code_hashes()[path.name]
    loaded_space.cache_clear()
    path.write_bytes(carried.source)
    SpaceHyperModel(str(path), SPEC).load()
    assert code_hashes()[path.name] == away


def test_a_carried_space_shows_its_own_lines(carried, path):
    build = loaded_space(str(path), carried.source).module.build
    assert inspect.getsource(build).strip() == SOURCE.strip()
