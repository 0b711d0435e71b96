import sys

import keras_tuner as kt
import pytest

from search_spaces import DataSpec
from tuner.errors import SpaceError
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.references import resolve

SPEC = DataSpec((8, 9, 3), 4)

HELPERS = """
import keras
import keras_tuner as kt
from keras.layers import Dense
from search_spaces.sequential import build as from_elsewhere

class Block(keras.layers.Layer):
    def build(self, input_shape):
        pass

def block(x, filters):
    return x

def training(hp):
    return hp.Choice("batch_size", [4])
"""


@pytest.fixture(autouse=True)
def own_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(HELPERS + text, "utf-8")
        return str(path)

    return write


def built(reference):
    return SpaceHyperModel(reference, SPEC).build(kt.HyperParameters())


def refusal(reference, act=built):
    with pytest.raises(SpaceError) as caught:
        act(reference)
    return str(caught.value)


FUNCTION = "def make(hp):\n    return 'make'\n"
CLASS = "class Mine(kt.HyperModel):\n    def build(self, hp):\n        return 'Mine'\n"


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (FUNCTION, "make"),
        ("def make(h):\n    h.Int('a', 1, 2)\n    return 'make'\n", "make"),
        ("def make(h: kt.HyperParameters):\n    return 'make'\n", "make"),
        ("make = lambda hp: 'make'\n", "make"),
        (CLASS, "Mine"),
        ("class Plain:\n    def build(self, hp):\n        return 'Plain'\n", "Plain"),
        (f"{CLASS}mine = Mine()\nmine.build = lambda hp: 'instance'\n", "instance"),
        (f"{FUNCTION}def build(hp):\n    return 'build'\n", "build"),
        ("def rate(hp):\n    return 'rate'\ndef make(hp):\n    return rate(hp)\n", "rate"),
        (
            "def rate(hp):\n    return 'rate'\nclass A:\n  def build(self, hp):\n    return [rate(hp)]\n",
            ["rate"],
        ),
        (f"def middle(hp, x):\n    return x\n{FUNCTION}", "make"),
        (f"class Base(kt.HyperModel):\n    pass\n{CLASS}", "Mine"),
        (f"{CLASS}class Other(Mine):\n    def build(self, hp):\n        return 'Other'\n", "Other"),
        ("class A:\n  @staticmethod\n  def build(hp):\n    return 'A'\n", "A"),
        ("class A:\n  def __call__(self, hp):\n    return 'A'\na = A()\n", "A"),
        (
            "def of(width):\n  def make(hp):\n    return hp.Fixed('a', width)\n  return make\nfive = of(5)\n",
            5,
        ),
        (
            "from functools import partial\ndef make(hp, width, depth):\n    return width * depth\n"
            "wide = partial(make, width=7, depth=2)\n",
            14,
        ),
    ],
)
def test_the_only_space_of_a_file_needs_no_name(file, text, model):
    assert built(file(text)) == model


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"{FUNCTION}def other(hp):\n    return 1\n", ("make", "other")),
        (f"{FUNCTION}{CLASS}", ("make", "Mine")),
        (f"{CLASS}first, second = Mine(), Mine()\n", ("first", "second")),
    ],
)
def test_of_several_spaces_one_has_to_be_named(file, text, names):
    reference = file(text)
    said = refusal(reference)
    assert ", ".join(names) in said
    assert f"{reference}:{names[0]}" in said
    assert resolve(f"{reference}:{names[1]}").space is not None


def test_what_a_file_imports_is_not_known(file):
    text = refusal(f"{file(FUNCTION)}:mak")
    assert "Did you mean 'make'?" in text
    assert text.endswith("Known: Block, block, make, training.")


def test_an_instance_may_be_named(file):
    assert built(f"{file(f'{CLASS}mine = Mine()')}:mine") == "Mine"


@pytest.mark.parametrize(
    ("parameters", "given"),
    [
        ("hp, input_shape", (8, 9, 3)),
        ("hp, image_shape", (8, 9, 3)),
        ("hp, img_shape", (8, 9, 3)),
        ("hp, shape=None", (8, 9, 3)),
        ("hp, num_classes", 4),
        ("hp, n_classes", 4),
        ("hp, *, classes", 4),
        ("hp, num_labels=None", 4),
        ("hp, spec", SPEC),
        ("hp, data", SPEC),
        ("hp, data, /", SPEC),
        ("hp, num_classes=7", 7),
        ("hp, width=None", None),
    ],
)
def test_arguments_that_the_data_decide_are_given_by_name(file, parameters, given):
    name = parameters.replace("*, ", "").replace(", /", "").split(", ")[1].partition("=")[0]
    assert built(file(f"def make({parameters}):\n    return {name}\n")) == given
    if "data" not in parameters:
        of_class = (
            f"class A:\n    def __init__({parameters.replace('hp', 'self')}):\n        self.given = {name}\n"
        )
        assert built(file(f"{of_class}\n    def build(self, hp):\n        return self.given\n")) == given


def test_a_hypermodel_with_a_spec_is_given_it(file):
    text = "class Mine(kt.HyperModel):\n    def build(self, hp, spec):\n        return spec\n"
    assert built(file(text)) == SPEC


@pytest.mark.parametrize(
    "text",
    [
        "def make(hp, width, num_classes):\n    return 1\n",
        "class A:\n  def __init__(self, width):\n    pass\n  def build(self, hp):\n    return 1\n",
    ],
)
def test_an_argument_that_nobody_knows_is_refused(file, text):
    said = refusal(f"{file(text)}:{text.split()[1].partition('(')[0].rstrip(':')}")
    assert "'width'" in said
    assert "input_shape" in said
    assert "num_classes" in said


def test_hyperparameters_that_a_hypermodel_declares_before_its_build_are_there(file):
    text = "    def declare_hyperparameters(self, hp):\n        hp.Choice('width', [4, 5])\n"
    reference = file(f"{CLASS}{text}    def build(self, hp):\n        return hp.get('width')\n")
    assert built(reference) == 4


def test_a_tuner_of_the_file_is_not_used_and_noted(file):
    text = f"{FUNCTION}class OwnTuner(kt.RandomSearch):\n    pass\n"
    assert built(file(text)) == "make"
    (note,) = resolve(file(text)).notes
    assert "OwnTuner" in note


def test_a_class_is_made_once_for_a_data_set(file):
    text = "made = []\nclass A:\n    def __init__(self, classes):\n        made.append(classes)\n"
    reference = file(f"{text}\n    def build(self, hp):\n        return list(made)\n")
    models = [SpaceHyperModel(reference, spec) for spec in (SPEC, SPEC, DataSpec((8, 8, 3), 2))]
    assert [model.build(None) for model in models] == [[4], [4], [4, 2]]


@pytest.mark.parametrize("name", ["HyperResNet", "HyperXception", "HyperEfficientNet"])
def test_a_hypermodel_of_keras_tuner_is_made_for_the_data(name):
    found = SpaceHyperModel(f"keras_tuner.applications:{name}", SPEC)
    assert (found.owner.input_shape, found.owner.classes) == (SPEC.image_shape, 4)
