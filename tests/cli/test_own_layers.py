"""A model with layers of the user's own, which its file alone does not give, serves in every command."""

import re

import pytest

from tests.cli.conftest import run_command
from tuner.results.query import open_run
from tuner.spaces import hypermodel

pytestmark = pytest.mark.training

OWN = """
import keras
from keras import layers, ops

{above}
class Scale(layers.Layer):
    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor
{below}

def build(hp):
    inputs = keras.Input((8, 8, 3))
    x = {first}(inputs)
    x = layers.Dense(hp.Int("units", 4, 8), activation="relu")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
SPACES = {
    "unregistered": OWN.format(above="", below="", first="Scale(1 / 255)"),
    "lossy": OWN.format(
        above="@keras.saving.register_keras_serializable()",
        below="    def get_config(self):\n        return layers.Layer.get_config(self)",
        first="Scale(1 / 255)",
    ),
    "lambda": OWN.format(above="", below="", first="layers.Lambda(lambda x: ops.cast(x, 'float32') / 255)"),
    "subclass": """
import keras
from keras import layers

class Net(keras.Model):
    def __init__(self, units):
        super().__init__()
        self.parts = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(units, "relu"),
                      layers.Dense(1, "sigmoid")]

    def build(self, shape):
        x = keras.Input(shape[1:])
        for part in self.parts:
            x = part(x)
        self.built = True

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x

    def get_config(self):
        return {"units": self.parts[2].units}

def build(hp):
    model = Net(hp.Int("units", 4, 8))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
""",
}


@pytest.fixture(autouse=True)
def _as_in_a_new_process():
    hypermodel.loaded_space.cache_clear()


@pytest.fixture(scope="module", params=SPACES)
def searched(request, tmp_path_factory, images, cache):
    """The folder and the output of a search; results/first is its run."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "space.py").write_text(SPACES[request.param])
    small = ("--max-trials", 1, "--max-epochs", 1, "--algorithm", "random", "--name", "first")
    result = run_command("search", "--space", "space.py", "--data", images, *small, cwd=folder, cache=cache)
    assert result.code == 0, result.stderr
    return folder, result


def test_the_search_says_so(searched):
    assert "saved model" in searched[1].stderr


def test_its_run_is_evaluated_as_in_the_search(searched, images, tuner):
    folder, _ = searched
    result = tuner("evaluate", "first", "--data", images, "--format", "json", cwd=folder)
    assert result.code == 0, result.stderr
    before = open_run(folder / "results" / "first").evaluation
    assert re.search(r'"accuracy": ([\d.]+)', result.stdout)[1] == str(before["accuracy"])
    assert "space.py" in result.stderr


def test_its_run_predicts(searched, images, tuner):
    result = tuner("predict", "first", images / "test" / "FAKE" / "000.png", cwd=searched[0])
    assert result.code == 0, result.stderr


@pytest.mark.parametrize("name", ["model.keras", "saved"])
def test_its_export_is_compared_with_the_trained_model(searched, name, tuner, tmp_path):
    result = tuner("best", "first", "--export", tmp_path / name, cwd=searched[0])
    assert result.code == 0, result.stderr
    assert "largest difference" in result.stderr
    assert "built from space.py" in result.stderr


def test_its_run_has_a_report(searched, tuner):
    result = tuner("report", "first", cwd=searched[0])
    assert result.code == 0, result.stderr


def test_a_file_without_its_run_names_the_code_that_it_needs(searched, images, tuner, tmp_path):
    if "register" in (searched[0] / "space.py").read_text():
        pytest.skip("this process has the code")
    tuner("best", "first", "--export", tmp_path / "model.keras", cwd=searched[0])
    result = tuner("evaluate", tmp_path / "model.keras", "--data", images)
    assert result.code == 2
    [line] = result.error_lines
    assert re.search("Scale|Net|lambda", line)


def test_a_run_whose_space_is_gone_says_what_it_needs(searched, images, tuner, tmp_path):
    folder, _ = searched
    result = tuner("evaluate", folder / "results" / "first", "--data", images, cwd=tmp_path)
    assert result.code == 2
    assert "space.py" in result.error_lines[-1]


def test_a_model_that_cannot_be_saved_is_refused_before_the_search(images, tuner, tmp_path):
    source = SPACES["subclass"]
    (tmp_path / "space.py").write_text(
        source[: source.index("    def get_config")] + source[source.index("def build(hp)") :]
    )
    result = tuner("search", "--space", "space.py", "--data", images, "--max-trials", 1)
    assert result.code == 2
    [line] = result.error_lines
    assert "Net" in line
    assert "get_config()" in line


def test_check_ends_with_the_notes_that_no_finding_says(tmp_path, tuner):
    (tmp_path / "space.py").write_text(
        """
import keras
from keras import layers

class Own(layers.Layer):
    def call(self, inputs):
        return inputs

def build(hp):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(hp.Int("filters", 2, 3), 3, name="raw"),
                              Own(), layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid")])
    model.compile("sgd", loss="binary_crossentropy", steps_per_execution=2)
    return model
"""
    )
    result = tuner("spaces", "check", "space.py", "--image-size", 8)
    notes = [line for line in result.stdout.splitlines() if line.startswith("note")]
    assert any("Own is not registered" in line for line in notes)
    assert any("steps_per_execution" in line for line in notes)
    assert result.stdout.count("'raw'") == 1
