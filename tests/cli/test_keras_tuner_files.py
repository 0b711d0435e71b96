"""Searches of files as users of Keras Tuner have them."""

import json

import pandas as pd
import pytest

TOP = "import keras\nfrom keras import layers\n"
BUILD = """
def build_model(hp):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255)])
    model.add(layers.Conv2D(hp.Choice("filters", [2, 3, 4, 5]), 3, activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
REQUEST = ("--algorithm", "random", "--max-trials", 2, "--max-epochs", 1, "--seed", 3)


def search(tuner, space, images, **options):
    return tuner(
        "search", "--space", space, "--data", images, *REQUEST, "--name", space.partition(".")[0], **options
    )


def trials(folder, name):
    table = pd.read_csv(folder / "results" / name / "trials.csv")
    return table[["trial_id", "score", "hp.filters"]]


def test_settings_at_the_top_of_a_file_change_no_trial(tuner, tmp_path, images):
    settings = 'keras.utils.set_random_seed(42)\nkeras.mixed_precision.set_global_policy("mixed_bfloat16")\n'
    (tmp_path / "plain.py").write_text(TOP + BUILD)
    (tmp_path / "setting.py").write_text(TOP + settings + BUILD)
    results = [search(tuner, name, images) for name in ("plain.py", "setting.py")]
    assert [result.code for result in results] == [0, 0], results
    pd.testing.assert_frame_equal(trials(tmp_path, "plain"), trials(tmp_path, "setting"))
    assert [("--seed" in result.stderr, "--precision" in result.stderr) for result in results] == [
        (False, False),
        (True, True),
    ]


def test_a_notebook_is_searched_and_resumed_until_its_code_changes(tuner, tmp_path, images):
    def write(*cells):
        made = [{"cell_type": "code", "source": text, "outputs": [len(cells)]} for text in cells]
        (tmp_path / "notes.ipynb").write_text(json.dumps({"cells": made}))

    write(f"!pip install keras-tuner\n{TOP}", BUILD)
    result = search(tuner, "notes.ipynb", images)
    assert result.code == 0, result.stderr
    assert "notes.ipynb" in result.stderr
    assert "cell 1, line 1" in result.stderr
    write(f"!pip install keras-tuner\n{TOP}", BUILD, "print(1)")
    assert tuner("resume").code == 0
    write(f"!pip install keras-tuner\n{TOP}", BUILD.replace("relu", "tanh"))
    changed = tuner("resume")
    assert changed.code == 2
    assert "notes.ipynb" in changed.stderr


@pytest.mark.parametrize("line", ["x = keras.datasets.mnist.load_data()", "x = = 1"])
@pytest.mark.parametrize(
    "command", [("search", "--data", "none", "--space"), ("spaces", "check"), ("spaces", "show")]
)
def test_a_file_that_cannot_be_a_space_is_refused_in_one_line_before_the_data(tuner, tmp_path, command, line):
    (tmp_path / "script.py").write_text(f"{TOP}{line}\n{BUILD}")
    result = tuner(*command, "script.py")
    assert result.code == 2
    (text,) = result.error_lines
    assert "line 3" in text


@pytest.mark.parametrize("command", ["check", "show"])
def test_an_error_of_an_import_is_one_line_with_its_place(tuner, tmp_path, command):
    (tmp_path / "mine.py").write_text(f"{TOP}1 / 0\n{BUILD}")
    result = tuner("spaces", command, tmp_path / "mine.py")
    assert result.code != 0
    assert "ZeroDivisionError" in result.stdout + result.stderr
    assert "mine.py, line 3" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["check", "show"])
def test_what_a_space_prints_is_no_data(tuner, tmp_path, command):
    text = BUILD.replace("    return model", "    model.summary()\n    return model").replace(
        "(8, 8,", "(32, 32,"
    )
    (tmp_path / "mine.py").write_text(f"{TOP}print('at the top')\n{text}")
    result = tuner("spaces", command, tmp_path / "mine.py", "--format", "json")
    assert json.loads(result.stdout)
    assert "at the top" in result.stderr
    assert "Total params" in result.stderr
