"""Search spaces in the forms that people write for Keras Tuner, for images of 8x8x3 in two classes."""

import json

IMPORTS = """
import keras
import keras_tuner as kt
from keras import layers, ops
"""
# What most of them share; `rest` stands for the part that a case is about.
MODEL = (
    IMPORTS
    + """
def model_of(*middle, last=None, loss="binary_crossentropy", optimizer="adam", metrics=("accuracy",), **more):
    model = keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.Flatten(), *middle,
                              last or layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer, loss=loss, metrics=list(metrics), **more)
    return model

def units(hp):
    return layers.Dense(hp.Int("units", 4, 12, step=4), activation="relu")
"""
)


def compiled(arguments: str) -> str:
    return f"{MODEL}\ndef build(hp):\n    return model_of(units(hp), {arguments})\n"


LOOP = """
from tensorflow import keras
from tensorflow.keras import layers

def build_model(hp):
    model = keras.Sequential()
    for number in range(hp.Int("num_layers", 1, 3)):
        model.add(layers.Conv2D(hp.Int(f"filters_{number}", 4, 12, step=4), 3, padding="same"))
    model.add(layers.Flatten())
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(keras.optimizers.Adam(hp.Choice("lr", [1e-2, 1e-3])), "sparse_categorical_crossentropy",
                  metrics=["accuracy"])
    return model
"""
CLASSES = """
class Dense(kt.HyperModel):
    def __init__(self, input_shape, num_classes):
        super().__init__()
        self.input_shape, self.num_classes = input_shape, num_classes

    def build(self, hp):
        last = layers.Dense(self.num_classes, activation="softmax")
        model = keras.Sequential([keras.Input(self.input_shape), layers.Rescaling(1 / 255), layers.Flatten(),
                                  units(hp), last])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model
"""
FIT = """
class Fitted(kt.HyperModel):
    def build(self, hp):
        return model_of(units(hp))

    def fit(self, hp, model, *args, **kwargs):
        kwargs["callbacks"] = [*kwargs.get("callbacks", []), keras.callbacks.ReduceLROnPlateau(patience=1)]
        return model.fit(*args, batch_size=hp.Choice("batch_size", [8, 16]), class_weight={0: 1.0, 1: 2.0},
                         **{name: value for name, value in kwargs.items() if name != "batch_size"})
"""
LAYER = """
class Scaled(layers.Layer):
    def __init__(self, factor=1.0, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, x):
        return x * self.factor
"""
STEP = """
import tensorflow as tf

class Own(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            outputs = self(x, training=True)
            loss = self.compute_loss(x=x, y=y, y_pred=outputs)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        for metric in self.metrics:
            metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, outputs)
        return {metric.name: metric.result() for metric in self.metrics}

def build(hp):
    inputs = keras.Input((8, 8, 3))
    x = units(hp)(layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))
    model = Own(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
FOCAL = """
def focal(gamma):
    def loss(labels, outputs):
        outputs = ops.clip(outputs, 1e-6, 1 - 1e-6)
        right = labels * outputs + (1 - labels) * (1 - outputs)
        return -ops.mean((1 - right) ** gamma * ops.log(right))
    return loss

def f1(labels, outputs):
    hits = ops.sum(labels * ops.round(outputs))
    return 2 * hits / (ops.sum(labels) + ops.sum(ops.round(outputs)) + 1e-7)

def build(hp):
    return model_of(units(hp), loss=focal(hp.Choice("gamma", [1.0, 2.0])), metrics=["accuracy", f1])
"""
TWO_OUTPUTS = """
def build(hp):
    inputs = keras.Input((8, 8, 3))
    x = units(hp)(layers.Flatten()(inputs))
    first, second = layers.Dense(1, activation="sigmoid")(x), layers.Dense(5, activation="softmax")(x)
    model = keras.Model(inputs, [first, second])
    model.compile("adam", ["binary_crossentropy", "sparse_categorical_crossentropy"])
    return model
"""
FIXED_INPUT = """
def build(hp):
    model = keras.Sequential([keras.Input({shape}), layers.Rescaling(1 / 255), layers.Flatten(), units(hp),
                              layers.Dense({outputs}, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
UNSCALED = """
def build(hp):
    model = keras.Sequential([layers.Conv2D(hp.Int("filters", 4, 8), 3, activation="relu"), layers.Flatten()])
    for number in range(hp.Int("num_layers", 1, 2)):
        model.add(layers.Dense(hp.Int("units_" + str(number), 4, 8)))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
AUGMENTED = """
def build(hp):
    inputs = keras.Input((8, 8, 3))
    contrast = layers.RandomContrast(hp.Choice("by", [0.1, 0.2]))
    flips = keras.Sequential([layers.RandomFlip("horizontal"), contrast])
    x = layers.Rescaling(1 / 255)(flips(inputs) if hp.Boolean("augment", default=True) else inputs)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(x))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling2D()(x)))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model
"""
SCHEDULE = """
def build(hp):
    rate = keras.optimizers.schedules.ExponentialDecay(hp.Choice("rate", [0.1, 0.01]), 100, 0.9)
    optimizer = keras.optimizers.SGD(rate, momentum=hp.Float("momentum", 0.0, 0.9, step=0.3), clipnorm=1.0)
    return model_of(units(hp), optimizer=optimizer)
"""
BRANCHES = """
def build(hp):
    if hp.Choice("kind", ["plain", "deep"]) == "deep":
        with hp.conditional_scope("kind", ["deep"]):
            for number in range(hp.Int("blocks", 1, 2)):
                with hp.name_scope(f"block_{number}"):
                    width = hp.Int("width", 4, 8)
        return model_of(layers.Dense(width))
    return model_of(units(hp))
"""


def in_build(line: str) -> str:
    return f"{MODEL}\ndef build(hp):\n    {line}\n    return model_of(units(hp))\n"


def notebook(*cells: str) -> str:
    made: list[dict[str, object]] = [
        {"cell_type": "code", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
        for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


SPACES = {
    "loop.py": LOOP,
    "branches.py": MODEL + BRANCHES,
    "script.py": "import numpy as np\nx = np.load('images.npy')\n" + LOOP + "\ntuner.search(x, epochs=1)\n",
    "guarded.py": LOOP + "\nif __name__ == '__main__':\n    tuner.search(x, epochs=1)\n",
    "fit.py": MODEL + FIT,
    "arguments.py": MODEL + CLASSES,
    "instance.py": MODEL + CLASSES + "\nhypermodel = Dense((8, 8, 3), 2)\n",
    "two_candidates.py": MODEL + "\ndef build_a(hp): return model_of(units(hp))\nbuild_b = build_a\n"
    "\ndef build_c(hp): return model_of(units(hp))\n",
    "old_package.py": compiled("").replace("keras_tuner as kt", "kerastuner as kt"),
    "old_optimizer.py": "from tensorflow.keras.optimizers.legacy import Adam\n"
    + compiled("optimizer=Adam(lr=hp.Choice('lr', [0.1, 0.01]))"),
    "old_decay.py": compiled("optimizer=keras.optimizers.Adam(0.1, decay=1e-6)"),
    "tf_keras.py": compiled("").replace("import keras\n", "import tf_keras as keras\n"),
    "categorical.py": compiled("last=layers.Dense(2, activation='softmax'), loss='categorical_crossentropy'"),
    "binary_of_two.py": compiled(
        "last=layers.Dense(2, activation=hp.Choice('last', ['softmax', 'sigmoid']))"
    ),
    "squares_of_two.py": compiled("last=layers.Dense(2, activation='softmax'), loss='mse'"),
    "softmax_of_one.py": compiled("last=layers.Dense(1, activation='softmax')"),
    "sparse_of_one.py": compiled("loss='sparse_categorical_crossentropy'"),
    "acc.py": compiled("metrics=['acc']"),
    "auc.py": compiled("metrics=['AUC']"),
    "no_metrics.py": compiled("metrics=[]"),
    "metric_objects.py": compiled("metrics=[keras.metrics.BinaryAccuracy(), keras.metrics.Recall()]"),
    "own_loss.py": MODEL + FOCAL,
    "lambda.py": compiled("last=layers.Dense(1, activation=lambda x: ops.sigmoid(x))"),
    "default_outside.py": in_build('hp.Choice("act", ["relu", "tanh"], default="elu")'),
    "range.py": in_build('hp.Float("drop", 0, 0.5, step=0.2, default=0.25)').replace(
        "model_of(units", "model_of(layers.Dropout(hp.get('drop')), units"
    ),
    "tuples.py": in_build('hp.Choice("kernel", [(3, 3), (5, 5)])'),
    "mixed_types.py": in_build('hp.Choice("kernel", [3, "same"])'),
    "batch_size.py": in_build('hp.Choice("batch_size", [8, 16])'),
    "two_ranges.py": in_build('hp.Int("units", 20, 30)'),
    "own_auc.py": compiled("metrics=[keras.metrics.AUC(curve='PR', name='auc')]"),
    "epochs.py": in_build('hp.Int("epochs", 1, 3)'),
    "unused.py": in_build('hp.Choice("momentum", [0.0, 0.9])'),
    "augmented.py": MODEL + AUGMENTED,
    "schedule.py": MODEL + SCHEDULE,
    "grey.py": MODEL + FIXED_INPUT.format(shape="(28, 28, 1)", outputs=2),
    "larger.py": MODEL + FIXED_INPUT.format(shape="(64, 64, 3)", outputs=2),
    "ten_classes.py": MODEL + FIXED_INPUT.format(shape="(8, 8, 3)", outputs=10),
    "precision.py": "import keras\nkeras.mixed_precision.set_global_policy('mixed_float16')\n" + compiled(""),
    "seed.py": "import keras\nkeras.utils.set_random_seed(42)\n" + compiled(""),
    "strategy.py": "import tensorflow as tf\nstrategy = tf.distribute.MirroredStrategy()\n"
    + in_build("scope = strategy.scope()"),
    "two_outputs.py": MODEL + TWO_OUTPUTS,
    "uncompiled.py": IMPORTS + "\ndef build(hp):\n    units = hp.Int('units', 1, 4)\n"
    "    return keras.Sequential([layers.Flatten(), layers.Dense(units)])\n",
    "logits.py": compiled(
        "last=layers.Dense(2), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
    ),
    "logits_of_one.py": compiled(
        "last=layers.Dense(1), loss=keras.losses.BinaryCrossentropy(from_logits=True)"
    ),
    "own_layer.py": MODEL + LAYER + "\ndef build(hp):\n    return model_of(Scaled(0.5), units(hp))\n",
    "neighbour.py": "from beside_it import block\n" + in_build("block()"),
    "relative.py": "from .inside import block\n" + in_build("block()"),
    "shell_lines.py": "!pip install keras-tuner -q\n%matplotlib inline\n" + compiled(""),
    "exported_notebook.py": "# In[1]:\nget_ipython().system('pip install keras-tuner -q')\n" + compiled(""),
    "cells.ipynb": notebook(
        "!pip install keras-tuner -q\n", "import numpy as np\nx = np.load('x.npy')\n", compiled("")
    ),
    "eager.py": compiled("run_eagerly=True, steps_per_execution=4, weighted_metrics=['auc']"),
    "train_step.py": MODEL + STEP,
    "unscaled.py": MODEL + UNSCALED,
    "impure.py": "import random\n"
    + in_build("last = random.random()").replace(
        "model_of(units", "model_of(layers.Dropout(last / 2), units"
    ),
    "broken.py": "def build(hp)\n    return None\n",
}
BESIDE = {"beside_it.py": "def block():\n    return 1\n", "inside.py": "def block():\n    return 1\n"}
