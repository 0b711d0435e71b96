"""The figures of a validation that do not depend on what a model is compiled with."""

import keras
import numpy as np
import pytest

from tests.training.models import ACCURACY, Hypermodel, epochs_of, run, small
from tuner.training.build import probabilities
from tuner.training.loop import make_loop
from tuner.training.trial import restore_winner

pytestmark = pytest.mark.training


@pytest.mark.parametrize("metrics", [(), ("acc",), (keras.metrics.Precision(name="precision"),)])
@pytest.mark.parametrize("classes", [2, 3])
def test_each_validation_has_an_accuracy_whatever_the_model_is_compiled_with(
    classes, metrics, dataset, three_classes, tmp_path
):
    data, outputs = (dataset, 1) if classes == 2 else (three_classes, 3)
    found = []
    for own in (metrics, ("accuracy",)):
        _, events = run(
            tmp_path / str(len(found)),
            lambda _, own=own: small(outputs=outputs, metrics=own),
            data,
            objective=ACCURACY,
        )
        found.append(epochs_of(events)[0].epoch.metrics["val_accuracy"])
    assert 0 < found[0] < 1
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_the_accuracy_of_logits_counts_those_above_zero(dataset, tmp_path):
    def build(_):
        model = small(metrics=())
        model.layers[-1].activation = keras.activations.linear
        model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
        return model

    _, events = run(tmp_path, build, dataset, objective=ACCURACY)
    model = restore_winner(Hypermodel(build), {}, tmp_path, dataset)
    part = dataset.splits["validation"]
    found = probabilities(model, make_loop(model, dataset.images, dataset.labels).predict(part))
    expected = np.mean(found.argmax(axis=1) == dataset.labels[part])
    assert epochs_of(events)[0].epoch.metrics["val_accuracy"] == pytest.approx(expected)
