"""The contract of every built-in search space, present and future."""

import ast
import importlib
import sys
from pathlib import Path

import keras
import keras_tuner as kt
import numpy as np
import pytest

import search_spaces
from search_spaces import DataSpec
from tuner.search.configurations import effective
from tuner.search.spaces import builtin_names, resolve

TWO = DataSpec((8, 8, 3), 2)
THREE = DataSpec((8, 8, 3), 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype("uint8")
SOURCES = sorted(Path(search_spaces.__file__).parent.glob("*.py"))


@pytest.fixture(params=builtin_names())
def build(request):
    return resolve(request.param)


@pytest.fixture(params=[TWO, THREE], ids=["two", "three"])
def spec(request):
    return request.param


def declared(build, spec=TWO):
    hp = kt.HyperParameters()
    build(hp, spec)
    return hp


def with_value(hp, name, value):
    """A copy with one value changed, as a trial would get it."""
    copy = hp.copy()
    copy.values[name] = value
    copy.ensure_active_values()
    return copy


def fingerprint(build, hp, spec=TWO):
    keras.utils.clear_session()  # layer names start again at zero, so equal models compare equal
    model = build(hp.copy(), spec)
    return model.to_json(), str(model.optimizer.get_config()), str(model.loss.get_config())


def test_a_space_builds_a_compiled_model(build, spec):
    model = build(kt.HyperParameters(), spec)
    assert model.compiled
    assert isinstance(model.optimizer, keras.Optimizer)
    assert isinstance(model.loss, keras.Loss)


def test_a_space_takes_images_of_the_spec(build, spec):
    assert build(kt.HyperParameters(), spec).input_shape == (None, *spec.image_shape)


def test_two_classes_end_in_one_sigmoid_unit_and_more_in_a_softmax(build, spec):
    layer = build(kt.HyperParameters(), spec).layers[-1]
    expected = ("sigmoid", 1) if spec.num_classes == 2 else ("softmax", spec.num_classes)
    assert (layer.activation.__name__, layer.units) == expected


def test_raw_pixels_give_probabilities(build, spec):
    outputs = np.asarray(build(kt.HyperParameters(), spec)(IMAGES))
    assert outputs.min() >= 0
    assert outputs.max() <= 1
    if spec.num_classes > 2:
        np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-5)


def test_pixels_are_scaled_inside(build):
    """Raw pixels saturate a net that does not scale them: all images look alike to its output."""
    keras.utils.set_random_seed(0)
    outputs = np.asarray(build(kt.HyperParameters(), TWO)(IMAGES))
    assert np.ptp(outputs) > 0
    assert ((outputs > 0.001) & (outputs < 0.999)).all()


def test_the_first_build_declares_every_hyperparameter(build):
    first = declared(build)
    for parameter in first.space:
        for value in parameter.values:
            hp = with_value(first, parameter.name, value)
            build(hp, TWO)
            assert [p.name for p in hp.space] == [p.name for p in first.space]


def test_every_hyperparameter_has_a_default_among_its_values(build):
    for parameter in declared(build).space:
        assert parameter.default in parameter.values


def test_no_two_hyperparameters_share_a_name(build):
    """Keras Tuner ignores the second of them and keeps the first one's range."""
    names = [parameter.name for parameter in declared(build).space]
    assert len(names) == len(set(names))


def test_every_active_hyperparameter_changes_the_model(build):
    first = declared(build)
    bases = [first, *(with_value(first, p.name, value) for p in first.space for value in p.values)]
    waiting = {parameter.name: parameter for parameter in first.space}
    for base in bases:  # a hyperparameter is tried in the first configuration in which it is active
        active = waiting.keys() & effective(base, base.values).keys()
        before = fingerprint(build, base) if active else None
        for parameter in [waiting.pop(name) for name in sorted(active)]:
            other = next(v for v in parameter.values if v != base.values[parameter.name])
            after = fingerprint(build, with_value(base, parameter.name, other))
            assert after != before, f"{parameter.name} is declared but changes nothing"
    assert not waiting, f"{sorted(waiting)} are never active"


def test_an_inactive_hyperparameter_changes_nothing(build):
    first = declared(build)
    active = effective(first, first.values)
    for parameter in first.space:
        if parameter.name not in active:
            changed = first.copy()
            changed.values[parameter.name] = parameter.values[-1]
            assert fingerprint(build, changed) == fingerprint(build, first), parameter.name


def test_the_same_configuration_gives_the_same_model(build, spec):
    hp = declared(build, spec)
    assert fingerprint(build, hp, spec) == fingerprint(build, hp, spec)


def test_a_space_does_not_depend_on_the_classes_but_for_its_output(build):
    assert declared(build, TWO).get_config() == declared(build, THREE).get_config()


def test_a_space_has_a_docstring_of_one_line_first(build):
    summary, _, rest = (importlib.import_module(build.__module__).__doc__ or "").partition("\n")
    assert summary.endswith(".")
    assert not rest.split("\n")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_spaces_import_keras_and_keras_tuner_and_nothing_else(path):
    allowed = {"keras", "keras_tuner", "search_spaces", *sys.stdlib_module_names}
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").partition(".")[0])
    assert imported <= allowed
