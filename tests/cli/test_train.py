"""`tuner train`, and what searches and trains have in common: presets, --hp, --limit."""

import csv
import json
from functools import partial

import pytest

from tests.cli.conftest import Run, run_command, write_images
from tests.pools import stub_pool

pytestmark = pytest.mark.training

SPACE = """
import keras

PRESETS = {"wide": {"units": 16, "batch_size": 64, "blur": 0.5}}

def build(hp, spec):
    model = keras.Sequential([
        keras.Input(spec.image_shape), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(),
        keras.layers.Dense(hp.Choice("units", [4, 8, 16]), activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(hp.Choice("optimizer", ["adam", "sgd"]), "binary_crossentropy", metrics=["accuracy"])
    return model

def training(hp):
    hp.Choice("batch_size", [16, 32, 64])
    hp.Choice("patience", [1, 9])
    hp.Choice("blur", [0.0, 0.5])
    hp.Choice("schedule", ["constant", "cosine"])
"""


@pytest.fixture
def stub(tmp_path, cache):
    """Run `tuner` with a worker that trains nothing."""
    return partial(run_command, cwd=tmp_path, cache=cache, pool=stub_pool(lambda _, epoch: epoch / 10))


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "trained_space.py"
    path.write_text(SPACE)
    return path


def trials(folder):
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_train_is_a_search_of_one(stub, images, space, tmp_path):
    done = stub(
        *("train", "--space", space, "--data", images, "--preset", "wide", "--hp", "optimizer=sgd"),
        *("--max-epochs", 2, "--name", "one"),
    )
    assert done.code == 0, done.stderr
    (trial,) = trials(tmp_path / "results/one")
    assert trial["status"] == "COMPLETED"
    assert (trial["hp.units"], trial["hp.optimizer"], trial["hp.blur"]) == ("16", "sgd", "0.5")
    assert (trial["batch_size"], trial["epochs"]) == ("64", "2")
    assert (tmp_path / "results/one/best/model.keras").is_file()
    assert "1 trial, at most 2 epochs" in done.stderr
    assert "Next       tuner best one --export model.keras" in done.stderr


def test_the_head_counts_one_configuration_where_all_values_are_fixed(stub, images, space):
    fixed = ("units=8", "optimizer=sgd", "batch_size=16", "patience=1", "blur=0", "schedule=constant")
    options = [part for value in fixed for part in ("--hp", value)]
    done = stub("train", "--space", space, "--data", images, *options, "--max-epochs", 1)
    assert done.code == 0, done.stderr
    for part in (", 1 configuration;", "1 trial, at most 1 epoch\n"):
        assert part in done.stderr


def test_the_space_decides_on_batch_size_and_patience_unless_the_request_does(stub, images, space, tmp_path):
    shared = ("train", "--space", space, "--data", images, "--max-epochs", 1)
    assert stub(*shared, "--name", "default").code == 0
    assert stub(*shared, "--name", "asked", "--batch-size", 48).code == 0
    (default,), (asked,) = trials(tmp_path / "results/default"), trials(tmp_path / "results/asked")
    assert (default["batch_size"], default["hp.batch_size"]) == ("16", "16")
    assert (asked["batch_size"], asked["hp.batch_size"]) == ("48", "48")


def test_a_search_tries_the_values_of_hp_only(stub, images, space, tmp_path):
    done = stub(
        *("search", "--space", space, "--data", images, "--algorithm", "grid", "--max-trials", 20),
        *("--hp", "preset=wide", "--hp", "units=4|8,optimizer=adam,patience=9,schedule=constant"),
        *("--max-epochs", 1, "--name", "grid"),
    )
    assert done.code == 0, done.stderr
    rows = trials(tmp_path / "results/grid")
    assert [row["hp.units"] for row in rows] == ["4", "8"]
    assert {row["hp.blur"] for row in rows} == {"0.5"}
    assert "space exhausted, 2 of 2" in done.stderr


def test_a_preset_can_be_tried_first(stub, images, space, tmp_path):
    done = stub(
        *("search", "--space", space, "--data", images, "--algorithm", "random", "--max-trials", 1),
        *("--include", "preset=wide,optimizer=sgd", "--max-epochs", 1, "--name", "first"),
    )
    assert done.code == 0, done.stderr
    (trial,) = trials(tmp_path / "results/first")
    assert (trial["hp.units"], trial["hp.optimizer"], trial["hp.batch_size"]) == ("16", "sgd", "64")


def test_a_limit_takes_a_stratified_sample_of_all_but_the_test(stub, images, space, tmp_path):
    request = ("--space", space, "--data", images, "--limit", 60, "--max-epochs", 1)
    done = stub("train", *request, "--name", "part")
    assert done.code == 0, done.stderr
    counts = json.loads((tmp_path / "results/part/run.json").read_text("utf-8"))["data"]["counts"]
    assert sum(sum(counts[split].values()) for split in ("train", "validation")) == 60
    assert sum(counts["test"].values()) == 60
    assert all(split["FAKE"] == split["REAL"] for split in counts.values())


def test_weighted_classes_are_found_in_spite_of_their_number(tuner: Run, space, tmp_path):
    """One class has a tenth of the images, all alike: without weights the other one is always right."""
    folder = write_images(tmp_path / "unbalanced")
    for split in ("train", "test"):
        for path in sorted((folder / split / "REAL").iterdir())[4:]:
            path.unlink()
    shared = ("train", "--space", space, "--data", folder, "--max-epochs", 1, "--hp", "optimizer=sgd")
    assert tuner(*shared, "--name", "plain").code == 0
    assert tuner(*shared, "--class-weights", "auto", "--name", "weighted").code == 0
    metrics = [trials(tmp_path / "results" / name)[0]["loss"] for name in ("plain", "weighted")]
    assert metrics[0] != metrics[1]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--preset", "wdie"), ("preset 'wdie'", "'wide'")),
        (("--hp", "unit=4"), ("--hp unit", "'unit'", "'units'")),
        (("--hp", "units=5"), ("units=5", "4, 8, 16")),
        (("--hp", "units=4|8"), ("units=4|8", "several values")),
        (("--weights", "none"), ("--weights none", "no pretrained weights")),
        (("--weights", "nowhere.h5"), ("--weights", "'nowhere.h5'", "no such file")),
        (("--limit", "3"), ("limit 3 ", "4 images")),
    ],
)
def test_a_bad_request_is_one_line_and_leaves_nothing(tuner: Run, images, space, tmp_path, arguments, parts):
    done = tuner("train", "--space", space, "--data", images, *arguments, "--quiet")
    assert done.code == 2
    assert len(done.error_lines) == 1
    for part in parts:
        assert part in done.stderr
    assert not list(tmp_path.glob("results/*"))


def test_an_interrupted_training_goes_on_to_the_same_figures(tuner: Run, images, space, tmp_path):
    """Schedule and augmentation go on where they stood."""
    shared = ("train", "--space", space, "--data", images, "--preset", "wide", "--hp", "schedule=cosine")
    epochs = ("--max-epochs", 3, "--hp", "patience=9")
    assert tuner(*shared, *epochs, "--name", "whole").code == 0
    begun = tuner(
        *("search", "--space", space, "--data", images, "--hp", "preset=wide", "--hp", "schedule=cosine"),
        *("--hp", "patience=9,optimizer=adam", "--algorithm", "tpe", "--max-trials", 1, "--max-epochs", 3),
        *("--max-epochs-total", 1, "--name", "parts"),
    )
    assert begun.code == 0, begun.stderr
    assert trials(tmp_path / "results/parts")[0]["epochs"] == "1"
    assert tuner("resume", "parts", "--max-epochs-total", 3).code == 0
    (whole,), (parts,) = trials(tmp_path / "results/whole"), trials(tmp_path / "results/parts")
    measured = ("duration_s", "images_per_s", "started_at")
    assert {k: v for k, v in whole.items() if k not in measured} == {
        k: v for k, v in parts.items() if k not in measured
    }


DIVERGING = """
import keras

def build(hp, spec):
    model = keras.Sequential([keras.Input(spec.image_shape), keras.layers.Flatten(),
                              keras.layers.Dense(hp.Choice("units", [1, 2])), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(hp.Choice("rate", [1e38, 1e-6]))
    model.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy"])
    return model

PRESETS = {"fast": {"units": 2, "rate": 1e38}}
"""


@pytest.mark.parametrize("values", [(), ("--hp", "units=2"), ("--preset", "fast")])
def test_a_configuration_that_fails_is_not_replaced_by_another(tuner: Run, images, tmp_path, values):
    (tmp_path / "diverging.py").write_text(DIVERGING)
    begun = tuner(
        *("train", "--space", "diverging.py", "--data", images, "--max-epochs", 1, "--name", "one"),
        *("--quiet", *values),
    )
    runs = [begun, tuner("resume", "one", "--quiet"), tuner("retry", "one", "--quiet")]
    assert [each.code for each in runs] == [1, 1, 1]
    assert "nan" in begun.stderr
    assert "0001" in begun.stderr
    (trial,) = trials(tmp_path / "results/one")
    assert (trial["status"], trial["hp.rate"]) == ("FAILED", "1e+38")


def test_the_values_of_a_configuration_that_trains_decide(tuner: Run, images, tmp_path):
    (tmp_path / "diverging.py").write_text(DIVERGING)
    request = ("--space", "diverging.py", "--data", images, "--max-epochs", 1, "--hp", "rate=1e-6")
    assert tuner("train", *request, "--name", "one").code == 0
    (trial,) = trials(tmp_path / "results/one")
    assert (trial["status"], trial["hp.rate"], trial["hp.units"]) == ("COMPLETED", "1e-06", "1")
