import os
import random
import sys

import keras
import numpy as np
import pytest

from search_spaces import DataSpec
from tuner.spaces.global_settings import settings_kept, use_own_settings
from tuner.spaces.sample_models import build_sample, sample_images
from tuner.spaces.search_space import SearchSpace
from tuner.training.compute import use_precision

SPEC = DataSpec((8, 8, 3), 2)
POLICY = 'keras.mixed_precision.set_global_policy("mixed_bfloat16")'


@pytest.fixture(autouse=True)
def own_state(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    use_precision("float32")
    use_own_settings()


@pytest.fixture
def space(tmp_path):
    """Return a space whose file begins with a line, and whose build has another."""

    def write(top="", inside="", name="mine"):
        path = tmp_path / f"{name}.py"
        path.write_text(
            f"import os, random\nimport keras\nimport numpy as np\n{top}\ndef build(hp):\n    {inside}\n"
            "    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255),\n"
            "        keras.layers.Flatten(), keras.layers.Dense(1, 'sigmoid')])\n"
            "    model.compile('sgd', 'binary_crossentropy', metrics=['accuracy'])\n    return model\n"
        )
        return SearchSpace(str(path), SPEC)

    return write


def notes(hypermodel):
    return hypermodel.notes(build_sample(hypermodel, {}).model, sample_images(SPEC))


@pytest.mark.parametrize(
    ("line", "now"),
    [
        (POLICY, lambda: keras.config.dtype_policy().name),
        ("keras.config.set_floatx('float64')", keras.config.floatx),
        ("keras.config.set_image_data_format('channels_first')", keras.config.image_data_format),
        ("os.environ['KERAS_BACKEND'] = 'numpy'", lambda: os.environ.get("KERAS_BACKEND")),
        ("os.chdir('/')", os.getcwd),
        ("os.environ['CUDA_VISIBLE_DEVICES'] = '7'", lambda: os.environ.get("CUDA_VISIBLE_DEVICES")),
    ],
)
def test_a_setting_at_the_top_of_a_file_is_put_back_and_noted(space, line, now):
    before = now()
    hypermodel = space(line)
    hypermodel.load()
    assert now() == before
    (note,) = notes(hypermodel)
    assert "The file" in note


def test_eager_functions_are_put_back_and_noted(space):
    tf = pytest.importorskip("tensorflow")
    hypermodel = space("import tensorflow as tf\ntf.config.run_functions_eagerly(True)")
    hypermodel.load()
    assert not tf.config.functions_run_eagerly()
    (note,) = notes(hypermodel)
    assert "run_functions_eagerly" in note


@pytest.mark.parametrize(
    "line", ["keras.utils.set_random_seed(1)", "random.seed(1)", "np.random.seed(1)", "np.random.seed()"]
)
def test_a_seed_at_the_top_of_a_file_is_noted(space, line):
    (note,) = notes(space(line))
    assert "--seed" in note


@pytest.mark.parametrize(
    "line", ["", "flip = keras.layers.RandomFlip()", "os.environ['TF_CPP_MIN_LOG_LEVEL'] = '2'"]
)
def test_what_changes_nothing_is_not_noted(space, line):
    assert notes(space(line)) == ()


def test_a_note_names_the_precision_that_is_used_unless_it_is_that_of_the_file(space):
    hypermodel = space(POLICY)
    model = build_sample(hypermodel, {}).model
    use_precision("mixed_float16")
    (note,) = hypermodel.notes(model, sample_images(SPEC))
    assert "mixed_bfloat16" in note
    assert "mixed_float16" in note
    use_precision("mixed_bfloat16")
    assert hypermodel.notes(model, sample_images(SPEC)) == ()


def test_settings_are_put_back_after_an_error():
    def fail():
        keras.config.set_floatx("float16")
        raise KeyError

    with pytest.raises(KeyError), settings_kept():
        fail()
    assert keras.config.floatx() == "float32"
    assert random.seed.__self__ is random._inst
    assert np.random.seed.__name__ == "seed"


def test_the_next_trial_begins_without_the_settings_of_a_build(space):
    hypermodel = space(inside="keras.config.set_floatx('float16')")
    build_sample(hypermodel, {})
    assert keras.config.floatx() == "float16"
    hypermodel.load()
    assert keras.config.floatx() == "float32"


def test_the_first_model_after_an_import_has_the_weights_of_the_next(space):
    hypermodel = space(f"keras.utils.set_random_seed(42)\n{POLICY}")
    first, second = (build_sample(hypermodel, {}).model for _ in range(2))
    assert np.array_equal(first.get_weights()[0], second.get_weights()[0])
    assert [layer.compute_dtype for layer in first.layers] == ["float32"] * 3


@pytest.mark.parametrize(
    ("top", "inside"),
    [
        ("outer = keras.layers.Dense(2)", "global outer"),
        ("LAYERS = {'first': [keras.layers.Dense(2)]}", "outer = LAYERS['first'][0]"),
        (
            "import keras_tuner\nkept = keras_tuner.HyperModel()\nkept.outer = keras.layers.Dense(2)",
            "outer = kept.outer",
        ),
    ],
)
@pytest.mark.parametrize("as_module", [False, True])
def test_a_layer_made_outside_build_starts_each_trial_untrained(
    space, tmp_path, monkeypatch, top, inside, as_module
):
    hypermodel = space(top, f"{inside}\n    return outer", "module_with_a_layer")
    if as_module:
        monkeypatch.syspath_prepend(tmp_path)
        hypermodel = SearchSpace("module_with_a_layer:build", SPEC)
    weights = []
    for _ in range(3):
        hypermodel.load()
        layer = hypermodel.build(None)
        assert not layer.built
        layer.build((None, 3))
        weights.append(layer.get_weights()[0].tolist())
    assert weights[1:] == [weights[0]] * 2
    sys.modules.pop("module_with_a_layer", None)


def test_a_space_without_layers_of_its_own_is_imported_once(space):
    hypermodel = space("times = []", "times.append(1)\n    return len(times)")
    for _ in range(2):
        hypermodel.load()
    assert [hypermodel.build(None), hypermodel.build(None)] == [1, 2]


def test_layers_of_the_file_and_of_build_have_names_of_their_own(space):
    hypermodel = space(
        "first = keras.layers.Flatten()",
        "names = [first.name, keras.layers.Flatten().name]\n    if hp is None: return names",
    )
    build_sample(hypermodel, {})
    build_sample(hypermodel, {})
    keras.utils.clear_session()
    hypermodel.load()
    assert len(set(hypermodel.build(None))) == 2
