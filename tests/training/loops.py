"""Training by a loop of any kind."""

import keras
import numpy as np

from tests.training.models import small


def order_of(dataset):
    return np.random.default_rng(0).permutation(dataset.splits["train"])


def train_epochs(kind, dataset, build=small, epochs=2):
    """Metrics of each epoch, of the evaluation, and the predictions."""
    keras.utils.set_random_seed(0)
    model = build()
    loop = kind(model, dataset.images, dataset.labels)
    logs = [loop.train_epoch(order_of(dataset), 16, lambda *_: None) for _ in range(epochs)]
    logs.append(loop.evaluate(dataset.splits["validation"]))
    return logs, loop.predict(dataset.splits["test"])
