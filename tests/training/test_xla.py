import keras
import pytest

from tests.training.models import Hypermodel, small
from tuner.training import xla
from tuner.training.xla import MIN_IMAGES, MIN_IMAGES_IN_ALL, Pace, choose_xla, pays

pytestmark = pytest.mark.training

tensorflow_only = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="XLA is a choice with TensorFlow only"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUNER_CACHE_DIR", str(tmp_path))


@pytest.fixture
def at_a_glance(monkeypatch):
    """What is measured does not matter."""
    monkeypatch.setattr(xla, "MEASURED_S", 0.1)


def choose(hypermodel, dataset, wanted="auto", images=10**6, trials=10):
    return choose_xla(wanted, hypermodel, dataset, {}, batch_size=16, images=images, trials=trials)


def test_compiling_pays_when_the_training_is_long_enough():
    plain, compiled = Pace(1.0, 1_000.0), Pace(4.0, 2_000.0)
    assert not pays(plain, compiled, 1_000)
    assert not pays(plain, compiled, 6_000)
    assert pays(plain, compiled, 60_000)


def test_a_small_gain_does_not_count():
    assert not pays(Pace(1.0, 1_000.0), Pace(1.0, 1_050.0), 10**9)


@pytest.mark.parametrize(("wanted", "chosen"), [("on", True), ("off", False)])
def test_what_is_asked_for_is_taken_without_a_look(dataset, wanted, chosen):
    assert choose(None, dataset, wanted) is chosen


def test_few_images_are_never_worth_it(dataset):
    assert choose(None, dataset, images=MIN_IMAGES - 1, trials=1000) is False
    assert choose(None, dataset, images=(MIN_IMAGES_IN_ALL - 1) / 2, trials=2) is False


@pytest.mark.usefixtures("at_a_glance")
@tensorflow_only
def test_a_model_is_measured_once_on_a_device(dataset, tmp_path):
    hypermodel = Hypermodel(lambda _: small())
    first = choose(hypermodel, dataset)
    measured = len(hypermodel.built)
    assert choose(hypermodel, dataset) is first
    assert len(hypermodel.built) == measured + 1  # to know which model it is
    (path,) = (tmp_path / "pace").iterdir()
    path.write_text("{")
    choose(hypermodel, dataset)
    assert len(hypermodel.built) == 2 * measured + 1
    another = Hypermodel(lambda _: small(outputs=2))
    choose(another, dataset)
    assert len(another.built) == measured
    assert len(list((tmp_path / "pace").iterdir())) == 2


@pytest.mark.usefixtures("at_a_glance")
@tensorflow_only
def test_a_model_that_xla_cannot_compile_is_trained_without(dataset):
    import tensorflow as tf

    class Printed(keras.layers.Layer):
        def call(self, inputs):
            return tf.ensure_shape(tf.py_function(lambda x: x, [inputs], tf.float32), inputs.shape)

        def compute_output_shape(self, input_shape):
            return input_shape

    def build(_):
        inputs = keras.Input(dataset.image_shape)
        x = keras.layers.Flatten()(Printed()(keras.layers.Rescaling(1 / 255)(inputs)))
        model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
        model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
        return model

    assert choose(Hypermodel(build), dataset) is False
