"""Hypermodels with a fit of their own."""

import keras

from tests.training.models import Hypermodel, epochs_of, small


def sgd(_):
    return small(keras.optimizers.SGD(0.1))


class Fitting(Hypermodel):
    """A hypermodel with a fit of its own."""

    def __init__(self, fit, build=sgd):
        super().__init__(build)
        self.own_fit = fit


def passes_on(_, model, *args, **kwargs):
    return model.fit(*args, **kwargs)


def metrics_of(events):
    return [event.epoch.metrics for event in epochs_of(events)]
