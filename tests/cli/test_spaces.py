"""`tuner spaces`: looking at spaces, checking them, and making one's own."""

import csv
import io
import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast

import pytest

from tests.cli.conftest import Result, Run
from tests.search_spaces.extras import BUILDABLE
from tuner.cli import spaces

OWN = """
import keras

PRESETS = {"small": {"kind": "flat", "units": 8, "batch_size": 16}}

def build(hp, spec):
    model = keras.Sequential([keras.Input(spec.image_shape), keras.layers.Rescaling(1 / 255)])
    kind = hp.Choice("kind", ["flat", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        filters = hp.Int("filters", 2, 6, step=2)
    if kind == "deep":
        model.add(keras.layers.Conv2D(filters, 3))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(hp.Int("units", 8, 16, step=4)))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy")
    return model

def training(hp):
    hp.Choice("batch_size", [16, 32])
"""


@pytest.fixture(autouse=True)
def own_import_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space puts its folder on sys.path."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def shown(result: Result) -> dict[str, object]:
    assert result.code == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def rows(result: Result) -> dict[str, dict[str, str]]:
    assert result.code == 0, result.stderr
    return {row["name"]: row for row in csv.DictReader(io.StringIO(result.stdout))}


def refused(result: Result, *parts: str) -> None:
    assert result.code == 2, result.stderr
    assert len(result.error_lines) == 1
    for part in parts:
        assert part in result.error_lines[0]


def test_the_list_has_the_built_in_spaces(tuner: Run) -> None:
    listed = json.loads(tuner("spaces", "list", "--format", "json").stdout)
    names = {"cnn", "resnet", "sequential", "transfer", "vit", "vit_b16"}
    assert names <= {row["space"] for row in listed}


def test_the_list_has_plugins(tuner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("mixer", "mixers.space:build", group="kt_search.spaces")
    monkeypatch.setattr(spaces, "entry_points", lambda group: [point] if group == point.group else [])
    assert "mixer" in tuner("spaces", "list").stdout


@pytest.mark.process
def test_the_list_loads_no_keras() -> None:
    code = (
        "import sys\nfrom tuner.cli import main\nsys.argv = ['tuner', 'spaces', 'list']\nmain.run()\n"
        "assert not {'keras', 'tensorflow', 'keras_tuner'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={**os.environ})


def test_an_unknown_space_names_the_nearest(tuner: Run) -> None:
    for command in ("show", "check"):
        refused(tuner("spaces", command, "sequentail"), "'sequentail'", "Did you mean 'sequential'?")


@pytest.mark.training
def test_show_counts_the_configurations(tuner: Run, own: Path) -> None:
    assert shown(tuner("spaces", "show", own, "--format", "json"))["num_configurations"] == 2 * (1 + 3) * 3


@pytest.mark.training
def test_show_tells_the_size_of_the_default_model(tuner: Run, own: Path) -> None:
    found = shown(tuner("spaces", "show", own, "--image-size", "8", "--format", "json"))
    assert found["num_params"] == (8 * 8 * 3 + 1) * 8 + 9
    assert found["flops"] == 2 * (8 * 8 * 3 * 8 + 8)


@pytest.mark.training
def test_show_has_images_of_the_size_and_channels_asked_for(tuner: Run, own: Path) -> None:
    found = shown(tuner("spaces", "show", own, "--image-size", "10", "--channels", "1", "--format", "json"))
    assert found["image_shape"] == [10, 10, 1]


@pytest.mark.training
def test_show_lists_range_default_and_condition(tuner: Run, own: Path) -> None:
    listed = rows(tuner("spaces", "show", own, "--format", "csv"))
    assert listed["filters"] == {
        "name": "filters",
        "part": "model",
        "values": "2..6 step 2",
        "default": "2",
        "condition": "kind = deep",
    }
    assert listed["kind"]["values"] == "flat, deep"


@pytest.mark.training
def test_show_tells_the_training_from_the_model(tuner: Run, own: Path) -> None:
    listed = rows(tuner("spaces", "show", own, "--format", "csv"))
    assert {name: row["part"] for name, row in listed.items()} == {
        "kind": "model",
        "filters": "model",
        "units": "model",
        "batch_size": "training",
    }


@pytest.mark.training
def test_show_prints_presets_with_their_values_and_how_operations_count(tuner: Run, own: Path) -> None:
    text = tuner("spaces", "show", own).stdout
    for words in ("preset small", "units=8", "multiply-add counts as two"):
        assert words in text


@pytest.mark.training
def test_show_says_what_makes_a_space_infinite(tuner: Run, tmp_path: Path) -> None:
    (tmp_path / "wide.py").write_text(
        OWN.replace('"adam"', 'keras.optimizers.SGD(hp.Float("rate", 0.1, 1.0))')
    )
    (line,) = [
        line for line in tuner("spaces", "show", "wide.py").stdout.splitlines() if "infinitely" in line
    ]
    assert "rate" in line


@pytest.mark.training
def test_show_of_a_space_that_cannot_be_built_is_refused(tuner: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def build(hp):\n    raise ValueError('no luck')\n", encoding="utf-8")
    refused(tuner("spaces", "show", "broken.py"), "'broken.py'", "no luck", "line 2")


@pytest.mark.training
@pytest.mark.parametrize("name", [name for name in BUILDABLE if name.values != ("transfer",)])
def test_a_built_in_space_can_be_counted(tuner: Run, name: str) -> None:
    assert shown(tuner("spaces", "show", name, "--format", "json"))["num_configurations"]


@pytest.mark.training
def test_a_space_with_pretrained_weights_is_counted_and_names_them_and_fetches_none(tuner: Run) -> None:
    found = shown(tuner("spaces", "show", "transfer", "--format", "json"))
    assert found["num_configurations"]
    listed = {row["name"]: row for row in cast("list[dict[str, Any]]", found["hyperparameters"])}
    assert listed["weights"]["default"] == "imagenet"


@pytest.mark.training
def test_show_of_a_space_that_needs_an_extra_says_which(tuner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    result = tuner("spaces", "show", "vit_b16")
    refused(result, "'vit_b16'", "KerasHub", 'pip install "kt-search[hub]"')


@pytest.mark.training
def test_a_sound_space_passes(tuner: Run, own: Path) -> None:
    result = tuner("spaces", "check", own, "--image-size", "8")
    assert result.code == 0, result.stdout
    assert all(line.startswith("ok") for line in result.stdout.splitlines())


@pytest.mark.training
def test_what_is_wrong_is_told_and_ends_in_an_exit_code(tuner: Run, tmp_path: Path) -> None:
    source = OWN.replace("PRESETS", 'NOTHING = "to see"\nPRESETS').replace('"units": 8', '"units": 9')
    (tmp_path / "unsound.py").write_text(source, encoding="utf-8")
    result = tuner("spaces", "check", "unsound.py", "--image-size", "8")
    assert result.code == 1
    (wrong,) = [line for line in result.stdout.splitlines() if not line.startswith("ok")]
    assert wrong.startswith("wrong  ")
    assert all(words in wrong for words in ("'small'", "'units'", "9"))
    (line,) = result.error_lines
    assert all(words in line for words in ("'unsound.py'", "1 of 14"))


@pytest.mark.training
def test_findings_can_be_had_as_json(tuner: Run, own: Path) -> None:
    result = tuner("spaces", "check", own, "--image-size", "8", "--format", "json")
    assert {row["problem"] for row in json.loads(result.stdout)} == {None}


@pytest.mark.training
def test_a_copy_shows_what_the_built_in_space_shows(tuner: Run) -> None:
    assert tuner("spaces", "copy", "sequential", "mine.py").code == 0
    copied = shown(tuner("spaces", "show", "mine.py", "--format", "json"))
    original = shown(tuner("spaces", "show", "sequential", "--format", "json"))
    assert {**copied, "space": "sequential"} == original


@pytest.mark.training
def test_a_copy_passes_the_checks(tuner: Run) -> None:
    tuner("spaces", "copy", "sequential", "mine.py")
    assert tuner("spaces", "check", "mine.py", "--image-size", "8").code == 0


def test_a_copy_ends_with_the_commands_to_type_next(tuner: Run) -> None:
    text = tuner("spaces", "copy", "sequential", "mine.py").stderr
    assert "tuner spaces check mine.py" in text
    assert "tuner search --space mine.py" in text


def test_a_copy_overwrites_nothing(tuner: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("precious", encoding="utf-8")
    refused(tuner("spaces", "copy", "sequential", "mine.py"), "'mine.py'")
    assert (tmp_path / "mine.py").read_text("utf-8") == "precious"


def test_a_copy_of_an_unknown_space_names_the_nearest(tuner: Run, tmp_path: Path) -> None:
    refused(tuner("spaces", "copy", "sequentail", "mine.py"), "'sequentail'", "Did you mean 'sequential'?")
    assert not (tmp_path / "mine.py").exists()


def test_a_copy_is_a_python_file(tuner: Run) -> None:
    refused(tuner("spaces", "copy", "sequential", "mine"), "'mine'", "'mine.py'")


def test_a_copy_to_a_folder_that_is_missing_is_refused(tuner: Run) -> None:
    refused(tuner("spaces", "copy", "sequential", "nowhere/mine.py"), "nowhere/mine.py")
