"""The reference space is exactly the one of the design."""

import keras
import keras_tuner as kt
import pytest

from search_spaces import DataSpec, sequential
from tuner.spaces.configurations import enumerate_space

SPEC = DataSpec((8, 8, 3), 2)
UNITS = list(range(100, 1001, 100))
RANGES = {
    "filters": [20, 40, 60, 80, 100],
    "kernel_size": [2, 3, 4],
    "units_1": UNITS,
    "activation_1": ["relu", "tanh"],
    "units_2": UNITS,
    "activation_2": ["relu", "tanh"],
    "learning_rate": [1e-3, 5e-4, 1e-4],
    "optimizer": ["adam", "sgd"],
}


@pytest.fixture(scope="module")
def declared():
    hp = kt.HyperParameters()
    sequential.build(hp, SPEC)
    return hp


def build(**values):
    hp = kt.HyperParameters()
    hp.values = values
    return sequential.build(hp, SPEC)


def test_the_ranges_are_those_of_the_design(declared):
    assert {parameter.name: list(parameter.values) for parameter in declared.space} == RANGES


def test_the_space_has_36000_configurations(declared):
    assert sum(1 for _ in enumerate_space(declared)) == 36_000


def test_the_layers_are_those_of_the_design():
    kinds = [type(layer).__name__ for layer in build().layers]
    assert kinds == [
        "InputLayer",
        "Rescaling",
        "Conv2D",
        "MaxPooling2D",
        "Flatten",
        "Dense",
        "Dense",
        "Dense",
    ]


def test_each_value_reaches_its_layer():
    model = build(
        filters=40, kernel_size=2, units_1=300, activation_1="tanh", units_2=700, activation_2="relu"
    )
    convolution, first, second = model.layers[2], model.layers[5], model.layers[6]
    assert (convolution.filters, convolution.kernel_size) == (40, (2, 2))
    assert (first.units, first.activation.__name__) == (300, "tanh")
    assert (second.units, second.activation.__name__) == (700, "relu")


@pytest.mark.parametrize(("name", "kind"), [("adam", keras.optimizers.Adam), ("sgd", keras.optimizers.SGD)])
def test_the_optimizer_takes_the_learning_rate(name, kind):
    optimizer = build(optimizer=name, learning_rate=5e-4).optimizer
    assert type(optimizer) is kind
    assert float(optimizer.learning_rate) == pytest.approx(5e-4)
