import pytest

from tuner.errors import SpaceError
from tuner.spaces.references import check_reference, resolve
from tuner.spaces.source import read_source

DEFINED = "def build(hp):\n    return hp\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


def refusal(path, find=check_reference):
    with pytest.raises(SpaceError) as caught:
        find(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("import keras\n(x, y), _ = keras.datasets.mnist.load_data()", "keras.datasets.mnist.load_data()"),
        ("from keras.datasets import cifar10\nimages = cifar10.load_data()[0]", "cifar10.load_data()"),
        ("import numpy as np\nx = np.load('images.npy')", "np.load()"),
        ("import pandas\nlabels = pandas.read_csv('labels.csv')", "pandas.read_csv()"),
        ("import keras_tuner as kt\ntuner = kt.RandomSearch(build)", "kt.RandomSearch()"),
        ("from kerastuner.tuners import Hyperband\ntuner = Hyperband(build)", "Hyperband()"),
        ("tuner = None\ntuner.search(1)", "tuner.search()"),
        ("import os\nos.system('ls')", "os.system()"),
        ("from subprocess import run\nrun(['ls'])", "run()"),
        ("from sklearn.datasets import load_digits\ndigits = load_digits()", "load_digits()"),
        ("from google.colab import drive\ndrive.mount('/drive')", "drive.mount()"),
        ("name = input('name?')", "input()"),
        ("import matplotlib.pyplot as plt\nplt.show()", "plt.show()"),
        ("if True:\n    model.fit(1)", "model.fit()"),
        ("for i in range(2):\n    model.fit(1)", "model.fit()"),
        ("with open('x') as f:\n    model.fit(1)", "model.fit()"),
        ("try:\n    model.fit(1)\nexcept OSError:\n    pass", "model.fit()"),
        ("class Mine:\n    model.fit(1)", "model.fit()"),
        ("x = [cv2.imread(name) for name in 'ab']", "cv2.imread()"),
        ("def f(x=model.fit(1)):\n    pass", "model.fit()"),
        ("def main():\n    model.fit(1)\nmain()", "model.fit()"),
        ("class A:\n    def fit(self, model):\n        return model.fit(1)\nmodel.fit(1)", "model.fit()"),
        ("class Run:\n    def run(self):\n        model.fit(1)\nRun().run()", "model.fit()"),
        ("class Run:\n    def __init__(self):\n        model.fit(1)\nrun = Run()", "model.fit()"),
    ],
)
def test_a_file_that_does_something_when_it_is_imported_is_refused_before(file, line, call):
    path = file(f"{DEFINED}raise SystemExit\n{line}\n")
    for find in (check_reference, resolve):
        text = refusal(path, find)
        assert str(path) in text
        assert call in text
        assert "__main__" in text


def test_the_line_of_the_first_action_is_named_and_the_others_are_counted(file):
    text = refusal(file(f"{DEFINED}x = 1\nmodel.fit(x)\nmodel.predict(x)\nmodel.evaluate(x)\n"))
    assert "line 4:" in text
    assert "2 other calls" in text


@pytest.mark.parametrize(
    "line",
    [
        'if __name__ == "__main__" and not None:\n    model.fit(1)',
        'if __name__ == "__main__":\n    model.fit(1)',
        "if '__main__' == __name__:\n    model.fit(1)",
        "def train():\n    model.fit(1)",
        "train = lambda: model.fit(1)",
        "class Mine:\n    def train(self):\n        model.fit(1)\nmine = Mine()",
        "import re\nDIGIT = re.search('[0-9]', 'a1')",
        "def load_data():\n    return 1\nDATA = load_data()",
        "def again():\n    return again\nvalue = [again(), again]",
        "import keras\nkeras.utils.set_random_seed(1)\naugment = keras.layers.RandomFlip()",
    ],
)
def test_definitions_constants_and_settings_are_allowed(file, line):
    check_reference(str(file(f"{DEFINED}{line}\n")))


def test_a_syntax_error_is_named_with_its_line(file):
    text = refusal(file(f"{DEFINED}\nx = = 1\n"))
    assert "mine.py" in text
    assert "line 4" in text
    assert "x = = 1" in text


@pytest.mark.parametrize("line", ["return 1", "def f(a, a):\n    pass", "x = '\u2028' = 1"])
def test_an_error_that_only_a_compilation_finds_is_named_with_its_line(file, line):
    assert "line 3" in refusal(file(f"{DEFINED}{line}\n"))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\x00")
    assert "mine.py" in refusal(tmp_path / "mine.py")


@pytest.mark.parametrize("name", ["mine.py", "mine.ipynb"])
def test_a_notebook_that_is_none_is_refused(file, name):
    text = '{"cells": 3}' if name.endswith("ipynb") else "def"
    assert name in refusal(file(text, name))


@pytest.mark.parametrize(
    "line",
    [
        "!pip install \\\n    keras-tuner",
        "%matplotlib inline",
        "files = !ls",
        "if True:\n    !ls",
        "get_ipython().system('pip install keras-tuner')",
        "build?",
    ],
)
def test_lines_of_a_notebook_are_left_out_of_a_file(file, line):
    found = resolve(str(file(f"{line}\n{DEFINED}")))
    assert found.space(7) == 7
    (note,) = found.notes
    assert "line " in note
    assert line.splitlines()[-1].strip(" ") in note or "pip install" in note


def test_a_remainder_over_two_lines_is_no_line_of_a_notebook(file):
    found = resolve(str(file("WIDTH = (7\n% 4)\ndef build(hp):\n    return WIDTH\n")))
    assert found.space(None) == 3
    assert found.notes == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from kerastuner import HyperParameters as X", "from keras_tuner import HyperParameters as X"),
        ("import kerastuner as kt\nX = kt.Oracle", "import keras_tuner as kt\nX = kt.Oracle"),
        ("import kerastuner\nX = kerastuner.Oracle", "import keras_tuner\nX = keras_tuner.Oracle"),
        ("from keras.layers.core import Dense as X", "from keras.layers import Dense as X"),
        (
            "from keras.layers.experimental import preprocessing\nX = preprocessing.Rescaling",
            "from keras.layers import Rescaling as X",
        ),
        (
            "import keras\nX = keras.layers.experimental.preprocessing.Resizing",
            "from keras.layers import Resizing as X",
        ),
        (
            "from keras.preprocessing.image import ImageDataGenerator as X",
            "from keras.src.legacy.preprocessing.image import ImageDataGenerator as X",
        ),
        ("from keras.utils import np_utils as X", "from keras import utils as X"),
        ("from keras.optimizers.legacy import Adam as X", "from keras.optimizers import Adam as X"),
        ("from keras.optimizers import legacy\nX = legacy.SGD", "from keras.optimizers import SGD as X"),
        ("import keras\nX = keras.optimizers.legacy.SGD", "from keras.optimizers import SGD as X"),
    ],
)
def test_old_names_are_those_of_today_and_a_note_says_so(file, old, new):
    found, today = (resolve(str(file(f"{text}\n{DEFINED}"))) for text in (old, new))
    assert found.module.X is today.module.X
    assert len(found.notes) == 1
    assert today.notes == ()


def test_the_old_name_of_the_learning_rate_is_read(file):
    found = resolve(
        str(file("import keras\ndef build(hp):\n    return keras.optimizers.SGD(lr=hp, decay=0.0)\n"))
    )
    assert float(found.space(0.5).learning_rate) == 0.5
    assert "learning_rate" in found.notes[0]


def test_a_decay_of_keras_2_is_refused_with_the_schedule_to_write(file):
    text = refusal(file("def build(hp):\n    return SGD(hp, decay=1e-4)\n"))
    assert "line 2" in text
    assert "InverseTimeDecay(rate, 1, 0.0001)" in text


@pytest.mark.parametrize("call", ["tf.compat.v1.disable_eager_execution()", "tf.disable_v2_behavior()"])
def test_tensorflow_1_is_refused(file, call):
    text = refusal(file(f"import tensorflow as tf\n{call}\n{DEFINED}"))
    assert "line 2" in text
    assert call.rpartition(".")[2] in text


def test_keras_2_is_refused(file):
    assert "line 1" in refusal(file(f"import tf_keras as keras\n{DEFINED}"))


def test_keras_2_is_allowed_where_the_file_can_do_without(file):
    text = f"try:\n    import tf_keras as keras\nexcept ImportError:\n    import keras\n{DEFINED}"
    assert read_source(file(text)).notes == ()


def test_a_strategy_is_not_used_and_a_note_says_so(file):
    text = """
import tensorflow as tf
strategy = tf.distribute.MirroredStrategy()
def build(hp):
    with strategy.scope(), tf.distribute.experimental.TPUStrategy(None).scope():
        return strategy.num_replicas_in_sync
"""
    pytest.importorskip("tensorflow")
    found = resolve(str(file(text)))
    assert found.space(None) == 1
    assert [
        name in note for name, note in zip(("MirroredStrategy (line 3)", "TPU"), found.notes, strict=True)
    ] == [True] * 2
