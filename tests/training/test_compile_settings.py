"""What a model is compiled with acts in the loop of each backend as in plain Keras."""

import keras
import numpy as np
import pytest

from tests.training.loops import train_epochs
from tests.training.models import small
from tuner.training.loop import KerasLoop, make_loop

pytestmark = pytest.mark.training


class HalfSteps(keras.optimizers.SGD):  # type: ignore[misc]
    """An optimizer of a user's own."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, 0.5 * learning_rate)


SETTINGS = {
    "clipnorm": lambda kind: kind(0.01, clipnorm=0.003),
    "global_clipnorm": lambda kind: kind(0.01, global_clipnorm=0.003),
    "clipvalue": lambda kind: kind(0.01, clipvalue=0.001),
    "weight_decay": lambda kind: kind(0.01, weight_decay=0.5),
    "accumulation": lambda kind: kind(0.01, gradient_accumulation_steps=3),
    "averaging": lambda kind: kind(0.01, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
    "loss_scale": lambda kind: keras.optimizers.LossScaleOptimizer(kind(0.01), initial_scale=2.0**10),
    "schedule": lambda kind: kind(keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)),
}


# An optimizer of the user's own has no update of ours.
@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        *((kind, setting) for kind in (keras.optimizers.Adam, keras.optimizers.SGD) for setting in SETTINGS),
        *((HalfSteps, setting) for setting in ("clipnorm", "averaging")),
    ],
)
def test_a_setting_of_an_optimizer_acts(kind, setting, dataset):
    make = SETTINGS[setting]
    logs, outputs = train_epochs(make_loop, dataset, lambda: small(make(kind)))
    _, expected = train_epochs(KerasLoop, dataset, lambda: small(make(kind)))
    assert np.allclose(outputs, expected, atol=1e-3), abs(outputs - expected).max()
    _, without = train_epochs(make_loop, dataset, lambda: small(kind(0.01)))
    assert setting == "loss_scale" or not np.allclose(outputs, without, atol=2e-3)
    assert np.isfinite(logs[-1]["loss"])


@pytest.mark.parametrize(
    "settings",
    [
        {"loss_weights": 0.5},
        {"loss_weights": [0.5]},
        {"weighted_metrics": ["auc", "accuracy"]},
        {"steps_per_execution": 3},
        {"jit_compile": True},
        {"auto_scale_loss": False},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_other_settings_give_the_figures_of_keras(settings, dataset):
    def build():
        model = small()
        model.compile("sgd", "binary_crossentropy", **({"metrics": ["accuracy"]} | settings))
        return model

    (first, *_, last), outputs = train_epochs(make_loop, dataset, build)
    (first_of_keras, *_, last_of_keras), expected = train_epochs(KerasLoop, dataset, build)
    assert first == pytest.approx(first_of_keras, abs=2e-3)
    assert last == pytest.approx(last_of_keras, abs=2e-3)
    assert np.allclose(outputs, expected, atol=2e-3)
