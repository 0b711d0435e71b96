import os
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint

import keras_tuner as kt
import pytest

from search_spaces import DataSpec, sequential
from tuner.errors import SpaceError
from tuner.spaces import references
from tuner.spaces.hypermodel import SpaceHyperModel, loaded_space
from tuner.spaces.references import (
    builtin_names,
    check_reference,
    label,
    made_for_images_of,
    resolve,
    summary,
)

SPEC = DataSpec((8, 8, 3), 2)

# The models are stand-ins: what is tested is which function is found and how it is called.
SOURCE = """
import keras_tuner as kt

def build(hp):
    return "build"

def build_small(hp, spec):
    return ("build_small", spec)

def build_scaled(hp, scale=2):
    return ("build_scaled", scale)

class Mine(kt.HyperModel):
    made = 0

    def __init__(self):
        super().__init__()
        Mine.made += 1

    def build(self, hp):
        return ("Mine", Mine.made)

NUMBER = 3
"""


@pytest.fixture(autouse=True)
def own_import_state(monkeypatch, tmp_path):
    """Spaces are looked for in an empty folder, and what they put on sys.path is taken off again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def space_file(tmp_path):
    path = tmp_path / "my_space.py"
    path.write_text(SOURCE)
    return path


def error(reference, find=resolve):
    with pytest.raises(SpaceError) as caught:
        find(reference)
    return str(caught.value)


def plug_in(monkeypatch, *points):
    monkeypatch.setattr(
        references, "entry_points", lambda group: points if group == "kt_search.spaces" else ()
    )


def test_a_name_stands_for_a_built_in_space():
    assert resolve("sequential").space is sequential.build


def test_a_file_stands_for_its_build(space_file):
    assert resolve(str(space_file)).space(None) == "build"


@pytest.mark.usefixtures("space_file")
def test_a_file_may_be_given_relative_to_the_working_folder():
    assert resolve("my_space.py:build").space(None) == "build"


def test_a_function_of_a_file_may_be_named(space_file):
    assert resolve(f"{space_file}:build_small").space.__name__ == "build_small"


def test_a_function_of_a_module_may_be_named():
    assert resolve("search_spaces.sequential:build").space is sequential.build


def test_a_module_is_found_in_the_working_folder(tmp_path):
    (tmp_path / "module_beside.py").write_text(SOURCE)
    assert resolve("module_beside:build").space(None) == "build"


def test_a_space_may_import_its_neighbours(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "neighbour_of_space.py").write_text("WIDTH = 7\n")
    (folder / "space.py").write_text(
        "from neighbour_of_space import WIDTH\ndef build(hp):\n    return WIDTH\n"
    )
    assert resolve(str(folder / "space.py")).space(None) == 7


def test_a_file_of_a_package_imports_relative_to_it_from_anywhere(tmp_path):
    for name, value in (("first", 7), ("second", 8)):
        package = tmp_path / name / "package_of_spaces"
        (package / "models").mkdir(parents=True)
        (package / "__init__.py").write_text("DEPTH = 2\n")
        (package / "widths.py").write_text(f"WIDTH = {value}\n")
        (package / "models" / "space.py").write_text(
            "from . import rates\nfrom .. import DEPTH\nfrom ..widths import WIDTH\n"
            "def build(hp):\n    return WIDTH, DEPTH, rates.RATE\n"
        )
        (package / "models" / "rates.py").write_text("RATE = 0.1\n")
        assert resolve(str(package / "models" / "space.py")).space(None) == (value, 2, 0.1)


def test_an_entry_point_may_be_a_class_or_a_module(monkeypatch, tmp_path):
    (tmp_path / "module_that_is_plugged.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    for value, built in (("module_that_is_plugged:Mine", ("Mine", 1)), ("module_that_is_plugged", "build")):
        plug_in(monkeypatch, EntryPoint("plugged", value, group=references.ENTRY_POINT_GROUP))
        assert SpaceHyperModel("plugged", SPEC).build(None) == built
        loaded_space.cache_clear()


def test_a_script_is_refused_as_a_module_too(tmp_path):
    (tmp_path / "script_beside.py").write_text(f"{SOURCE}\nopened = input()\n")
    assert "input()" in error("script_beside:build")


def test_an_entry_point_is_found_by_its_name(monkeypatch):
    plug_in(
        monkeypatch,
        EntryPoint("plugged", "search_spaces.sequential:build", group=references.ENTRY_POINT_GROUP),
    )
    assert resolve("plugged").space is sequential.build


def test_a_built_in_space_wins_over_a_plugin_of_its_name(monkeypatch):
    plug_in(monkeypatch, EntryPoint("sequential", "json:loads", group=references.ENTRY_POINT_GROUP))
    assert resolve("sequential").space is sequential.build


@pytest.mark.parametrize("find", [resolve, check_reference])
def test_an_unknown_name_names_the_nearest(find):
    text = error("sequentail", find)
    assert text.index("'sequentail'") < text.index("'sequential'?") < text.index("Known: ")


def test_a_plugin_is_offered_where_its_name_is_nearest(monkeypatch):
    plug_in(monkeypatch, EntryPoint("mixer", "json:loads", group=references.ENTRY_POINT_GROUP))
    assert "Did you mean 'mixer'?" in error("mixr")


@pytest.mark.usefixtures("space_file")
@pytest.mark.parametrize("find", [resolve, check_reference])
def test_the_name_of_a_file_without_its_suffix_points_to_the_file(find):
    text = error("my_space", find)
    assert "'my_space'" in text
    assert "the file 'my_space.py'?" in text


@pytest.mark.parametrize("find", [resolve, check_reference])
@pytest.mark.parametrize("reference", ["none.py", "none.py:build", "none.ipynb"])
def test_a_missing_file_is_named(reference, find):
    assert f"no file '{reference.partition(':')[0]}'" in error(reference, find)


def test_a_missing_function_names_the_nearest(space_file):
    text = error(f"{space_file}:build_smal")
    assert "'build_smal'" in text
    assert "Did you mean 'build_small'?" in text


def test_a_file_without_build_says_so(tmp_path):
    (tmp_path / "empty.py").write_text("")
    text = error("empty.py")
    assert "'empty.py'" in text
    assert "'build'" in text
    assert "Known: none" in text


def test_what_cannot_be_called_is_no_space(space_file):
    assert "'NUMBER'" in error(f"{space_file}:NUMBER")


def test_a_missing_module_is_named():
    assert "no module 'no_such_module'" in error("no_such_module:build")


def test_a_missing_submodule_is_named():
    assert "no module 'json.no_such_part'" in error("json.no_such_part:build")


@pytest.mark.parametrize("missing", ["missing_library", "space_wit"])
def test_a_module_that_imports_something_missing_says_what_is_missing(tmp_path, missing):
    """Also where the name of what is missing begins the module's own."""
    (tmp_path / "space_with_missing_import.py").write_text(f"import {missing}\n")
    with pytest.raises(ModuleNotFoundError) as caught:
        resolve("space_with_missing_import:build")
    assert caught.value.name == missing


def test_a_windows_path_is_not_cut_at_its_drive():
    assert r"no file 'C:\spaces\mine.py'" in error(r"C:\spaces\mine.py")


def test_checking_a_reference_runs_no_code(tmp_path):
    (tmp_path / "loud.py").write_text("raise SystemExit\n")
    check_reference("loud.py:build")


def test_no_module_with_an_underscore_is_a_space():
    names = builtin_names()
    assert "sequential" in names
    assert [name for name in names if name.startswith("_")] == []


def test_every_space_has_a_summary():
    assert [name for name in builtin_names() if not summary(name).endswith(".")] == []


def test_listing_spaces_does_not_import_keras():
    code = (
        "import sys\nfrom tuner.spaces.references import *\n"
        "from tuner.spaces.references import builtin_names, check_reference, summary\n"
        "[summary(name) for name in builtin_names()]\ncheck_reference('sequential')\n"
        "print(sorted({'keras', 'tensorflow', 'keras_tuner'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**os.environ}
    )
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("reference", "short"),
    [
        ("sequential", "sequential"),
        ("folder/my_space.py", "my_space"),
        ("folder/my_space.py:build_small", "my_space"),
        ("folder/notebook.ipynb:build", "notebook"),
        ("package.module:build", "module"),
    ],
)
def test_a_label_is_fit_for_a_folder(reference, short):
    assert label(reference) == short


def test_a_build_of_one_argument_is_called_without_the_spec(space_file):
    assert SpaceHyperModel(str(space_file), SPEC).build(kt.HyperParameters()) == "build"


def test_a_build_of_two_arguments_is_given_the_spec(space_file):
    model = SpaceHyperModel(f"{space_file}:build_small", SPEC)
    assert model.build(kt.HyperParameters()) == ("build_small", SPEC)


def test_an_argument_with_a_default_keeps_it(space_file):
    model = SpaceHyperModel(f"{space_file}:build_scaled", SPEC)
    assert model.build(kt.HyperParameters()) == ("build_scaled", 2)


def test_a_hypermodel_class_is_made_once(space_file):
    model = SpaceHyperModel(f"{space_file}:Mine", SPEC)
    assert [model.build(kt.HyperParameters()) for _ in range(2)] == [("Mine", 1)] * 2


def test_a_hypermodel_travels_without_the_code_of_its_space(space_file):
    model = SpaceHyperModel(f"{space_file}:build_small", SPEC)
    model.build(kt.HyperParameters())
    copy = pickle.loads(pickle.dumps(model))
    assert copy.build(kt.HyperParameters()) == ("build_small", SPEC)


@pytest.mark.parametrize(
    ("line", "side"),
    [("IMAGE_SIZE = 128", 128), ("SIZE = 128", None), ("IMAGE_SIZE = '128'", None), ("def", None)],
)
def test_a_file_says_which_images_it_is_made_for(line, side, tmp_path):
    (tmp_path / "mine.py").write_text(f"raise SystemExit\n{line}\n", "utf-8")
    assert made_for_images_of("mine.py:build_small") == side


def test_pretrained_spaces_are_made_for_the_images_of_their_networks():
    found = {name: made_for_images_of(name) for name in builtin_names()}
    assert {name for name, side in found.items() if side == 224} == {"transfer", "vit_b16"}
    assert set(found.values()) == {224, None}


@pytest.mark.parametrize("side", [7, 1025])
def test_a_size_out_of_bounds_is_refused(side, tmp_path):
    (tmp_path / "mine.py").write_text(f"IMAGE_SIZE = {side}\n", "utf-8")
    with pytest.raises(SpaceError, match=f"IMAGE_SIZE {side} .* 8 to 1024"):
        made_for_images_of("mine.py")
