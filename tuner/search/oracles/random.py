"""Random search: every configuration drawn on its own."""

from __future__ import annotations

import random

import keras_tuner as kt

from tuner.search.configurations import Values
from tuner.search.oracles.planned import PlannedOracle
from tuner.training.seeds import derive_seed


class RandomSearchOracle(PlannedOracle):
    """Draws each active hyperparameter from its own distribution, as Keras Tuner's does."""

    def sample(self, number: int, attempt: int) -> Values:
        rng = random.Random(derive_seed(self.seed, "sample", number, attempt))
        hp = kt.HyperParameters()
        hp.values = {}
        for parameter in self.hyperparameters.space:
            if parameter.name not in hp.values and hp.is_active(parameter):
                hp.values[parameter.name] = parameter.random_sample(rng.getrandbits(32))
        values: Values = hp.values
        return values
