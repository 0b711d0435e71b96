"""The contract of every built-in search space, present and future; first what `tuner spaces check` checks."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

import search_spaces
from search_spaces import DataSpec, transfer
from search_spaces._backbones import make_application
from tests.search_spaces.extras import BUILDABLE
from tuner.spaces.checks import (
    CHECKS,
    gives_probabilities,
    inference_is_as_good_as_training,
    problem,
    scales_pixels,
)
from tuner.spaces.configurations import walk
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.references import builtin_names
from tuner.spaces.sample_models import Subject

TWO = DataSpec((8, 8, 3), 2)
THREE = DataSpec((8, 8, 3), 3)
UNTRAINED = {name: check for name, check in CHECKS.items() if check is not inference_is_as_good_as_training}
# All values are built here, on a slow machine too.
MAX_SECONDS = 600
SOURCES = sorted(Path(search_spaces.__file__).parent.glob("*.py"))


@pytest.fixture(scope="module", params=BUILDABLE)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def subject(name):
    return Subject(SpaceHyperModel(name, TWO), MAX_SECONDS)


@pytest.fixture(scope="module")
def of_three(name):
    return Subject(SpaceHyperModel(name, THREE), MAX_SECONDS)


@pytest.mark.parametrize("check", UNTRAINED.values(), ids=UNTRAINED)
def test_a_space_keeps_the_contract(subject, check):
    assert problem(check, subject) is None


def test_a_trained_model_is_as_good_in_inference_as_in_training(subject, monkeypatch):
    # What is trained may not be the network that all others share.
    monkeypatch.setattr(transfer, "make_application", make_application)
    assert problem(inference_is_as_good_as_training, subject) is None


@pytest.mark.parametrize("check", [gives_probabilities, scales_pixels])
def test_a_space_keeps_the_contract_with_three_classes(of_three, check):
    assert problem(check, of_three) is None


def test_two_classes_end_in_one_sigmoid_unit(subject):
    layer = subject.default.model.layers[-1]
    assert (layer.activation.__name__, layer.units) == ("sigmoid", 1)


def test_more_classes_end_in_a_softmax(of_three):
    layer = of_three.default.model.layers[-1]
    assert (layer.activation.__name__, layer.units) == ("softmax", 3)


def test_a_space_takes_images_of_the_spec(subject):
    assert subject.default.model.input_shape == (None, *TWO.image_shape)


def test_no_two_hyperparameters_share_a_name(subject):
    """A column of the results is then about one thing."""
    names = [parameter.name for parameter in [*subject.space.space, *subject.training]]
    assert len(names) == len(set(names))


def test_the_defaults_are_a_configuration(subject):
    defaults = walk(subject.space, lambda parameter: parameter.default)
    assert subject.fingerprint(defaults) == subject.fingerprint({})


def test_spaces_have_a_docstring_of_one_line_first():
    def begins_with_a_line(name):
        summary, _, rest = (importlib.import_module(f"search_spaces.{name}").__doc__ or "").partition("\n")
        return summary.endswith(".") and not rest.split("\n")[0]

    names = builtin_names()
    assert names
    assert [name for name in names if not begins_with_a_line(name)] == []


def test_spaces_import_keras_and_keras_tuner_and_nothing_else():
    allowed = {"keras", "keras_tuner", "search_spaces", *sys.stdlib_module_names}

    def imported(path):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                # A relative import has no first part that is allowed.
                yield "" if node.level else (node.module or "").partition(".")[0]

    assert SOURCES
    assert [
        (path.name, module) for path in SOURCES for module in imported(path) if module not in allowed
    ] == []
