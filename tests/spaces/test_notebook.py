import json

import pytest

from tuner.errors import SpaceError
from tuner.spaces.references import check_reference, label, made_for_images_of, resolve
from tuner.training.build import blaming_the_space
from tuner.training.source_code import code_hashes
from tuner.training.task import TrialError

BUILD = "def build_model(hp):\n    return WIDTH * hp\n"


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of these code cells and return its reference."""

    def write(*cells, name="mine", outputs=()):
        path = tmp_path / f"{name}.ipynb"
        made = [{"cell_type": "markdown", "source": "# Title"}] + [
            {"cell_type": "code", "source": text.splitlines(keepends=True), "outputs": list(outputs)}
            for text in cells
        ]
        path.write_text(json.dumps({"cells": made, "nbformat": 4}), "utf-8")
        return str(path)

    return write


def refusal(reference):
    with pytest.raises(SpaceError) as caught:
        check_reference(reference)
    return str(caught.value)


def test_a_notebook_stands_for_the_space_that_it_defines(notebook):
    reference = notebook("WIDTH = 3", BUILD)
    check_reference(reference)
    assert resolve(reference).space(2) == 6
    assert label(reference) == "mine"


def test_lines_that_do_something_are_left_out_with_their_cells(notebook):
    reference = notebook(
        "!pip install keras-tuner\nimport keras\nimport package_that_nobody_has as pp",
        "(x, y), _ = keras.datasets.cifar10.load_data()\nx = x / 255.0\nWIDTH = 3",
        "%%bash\nls",
        f"%%time\n{BUILD}",
        "tuner = 1\ntuner.search(x)\nraise SystemExit",
    )
    found = resolve(reference)
    assert found.space(2) == 6
    (note,) = found.notes
    for place in (
        "cell 2, line 1 (!pip",
        "cell 2, line 3 (package_that",
        "cell 3, line 1 (keras.d",
        "cell 4 (%%bash",
    ):
        assert place in note
    assert "cell 3, line 2 (needs x)" in note
    assert "cell 6" not in note


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("WIDTH = np.load('x.npy')", "cell 2, line 2 (np.load()"),
        ("x = np.load('x.npy')\nWIDTH = len(x)", "cell 2, line 3 (needs x"),
        ("from package_that_nobody_has import WIDTH", "cell 2, line 2 (package_that_nobody_has"),
        (
            "import keras\nWIDTH = keras.layers.Normalization()\nWIDTH.adapt([1])",
            "cell 2, line 4 (WIDTH.adapt()",
        ),
    ],
)
def test_a_space_that_needs_a_line_that_is_left_out_is_refused(notebook, line, place):
    text = refusal(notebook(f"import numpy as np\n{line}", BUILD))
    assert "'WIDTH'" in text
    assert place in text


def test_a_name_that_is_bound_again_is_not_missing(notebook):
    reference = notebook("import numpy as np\nWIDTH = np.load('x.npy')\nWIDTH = 3", BUILD)
    assert resolve(reference).space(2) == 6


def test_a_local_name_is_not_one_that_is_left_out(notebook):
    reference = notebook("model = input()", "def build_model(hp):\n    model = hp\n    return model\n")
    assert resolve(reference).space(2) == 2


def test_of_two_definitions_of_a_name_the_last_counts(notebook):
    reference = notebook("WIDTH = 3", BUILD, "WIDTH = 4", BUILD, "WIDTH = 5")
    assert resolve(reference).space(1) == 4


def test_a_named_object_is_found_in_its_cell(notebook):
    reference = notebook("WIDTH = 3", BUILD, "def other(hp):\n    return 8", "raise SystemExit")
    assert resolve(f"{reference}:other").space(1) == 8


def test_a_class_is_the_space_where_its_instance_needs_data(notebook):
    reference = notebook(
        "class Mine:\n    def build(self, hp):\n        return hp.Int('a', 1, 2)", "mine = Mine(input())"
    )
    assert resolve(reference).space.__name__ == "Mine"


def test_an_error_in_a_cell_names_the_cell_and_its_line(notebook):
    reference = notebook("WIDTH = 3", "\n1 / 0\ndef build(hp):\n    return hp")
    with pytest.raises(TrialError, match=r"mine\.ipynb, cell 3, line 2"), blaming_the_space():
        resolve(reference)


def test_a_syntax_error_names_the_cell_and_its_line(notebook):
    assert "mine.ipynb, cell 3', line 2" in refusal(notebook("WIDTH = 3", "\nx = = 1"))


def test_a_notebook_says_which_images_it_is_made_for(notebook):
    assert made_for_images_of(notebook("!ls\nIMAGE_SIZE = 64", BUILD)) == 64


@pytest.mark.parametrize(
    ("cells", "changes"),
    [(("WIDTH = 4", BUILD), True), (("WIDTH = 3", BUILD, "print(1)"), False), (("WIDTH = 3", BUILD), False)],
)
def test_the_hash_of_a_notebook_covers_what_runs_but_no_output(notebook, cells, changes):
    resolve(notebook("WIDTH = 3", BUILD, name="hashed"))
    before = code_hashes()["hashed.ipynb"]
    resolve(notebook(*cells, name="hashed", outputs=["seen"]))
    assert (code_hashes()["hashed.ipynb"] != before) == changes
