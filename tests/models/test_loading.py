"""A model is loaded from its file as far as the file goes."""

import keras
import numpy as np
import pytest
from keras import layers

from tuner.models.loading import describe_model, load_model

pytestmark = pytest.mark.training
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)


def own_loss(truth, found):
    return keras.ops.mean((truth - found) ** 2, axis=-1)


class OwnLoss(keras.losses.BinaryCrossentropy):  # type: ignore[misc]
    """A loss that no other program knows."""


@pytest.mark.parametrize(
    ("loss", "activation"), [(own_loss, "sigmoid"), (OwnLoss(), "sigmoid"), (OwnLoss(from_logits=True), None)]
)
def test_a_model_with_a_loss_and_a_metric_of_ones_own_predicts(tmp_path, loss, activation):
    scaled = [keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten()]
    model = keras.Sequential([*scaled, layers.Dense(1, activation=activation)])
    model.compile("sgd", loss, metrics=[own_loss])
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = load_model(describe_model(str(path), tmp_path, ("FAKE", "REAL")))
    expected = keras.ops.convert_to_numpy(model(IMAGES))
    expected = expected if activation else 1 / (1 + np.exp(-expected))
    assert np.allclose(loaded.predict(IMAGES, np.arange(3))[:, 1:], expected, atol=1e-5)
