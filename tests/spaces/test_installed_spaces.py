"""Which names of a space are those of installed code, whatever lies in the working folder."""

import sys
from importlib.metadata import EntryPoint, distribution

import pytest

from tuner.errors import SpaceError
from tuner.spaces import references
from tuner.spaces.references import ENTRY_POINT_GROUP, is_installed_space, resolve


def plug_in(monkeypatch, *points):
    monkeypatch.setattr(
        references, "entry_points", lambda group: points if group == ENTRY_POINT_GROUP else ()
    )


def test_a_built_in_name_is_installed_and_its_module_under_another_reference_is_not(monkeypatch):
    plug_in(monkeypatch)
    assert is_installed_space("cnn")
    for reference in ("cnn.py", "cnn:build", "search_spaces.cnn:build", "nowhere", ""):
        assert not is_installed_space(reference), reference


def test_a_plugin_is_installed_where_its_package_is(monkeypatch):
    plug_in(monkeypatch, *distribution("pytest").entry_points)
    assert is_installed_space("pytest")
    plug_in(monkeypatch, EntryPoint("pytest", "pytest:main", group=ENTRY_POINT_GROUP))
    assert not is_installed_space("pytest")


def test_a_plugin_is_not_shadowed_by_a_module_in_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "module_of_a_plugin.py").write_text("def build(hp):\n    return 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != ""])
    plug_in(monkeypatch, EntryPoint("plugged", "module_of_a_plugin:build", group=ENTRY_POINT_GROUP))
    with pytest.raises(SpaceError, match="module_of_a_plugin"):
        resolve("plugged")
