"""The experiments in examples/: each is a valid request, and runs to its end on a small sample."""

import csv
import json
import tomllib
import zipfile
from pathlib import Path

import pytest

from search_spaces import DataSpec
from tests.cli.conftest import Run, write_images
from tests.search_spaces.extras import EXTRAS
from tuner.config import SearchConfig, make_config, read_toml
from tuner.spaces.configurations import space_size
from tuner.spaces.hypermodel import SpaceHyperModel
from tuner.spaces.restriction import wanted_values

ROOT = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = [
    pytest.param(path, id=path.stem, marks=EXTRAS.get(read_toml(path)["space"], ()))
    for path in sorted(ROOT.rglob("*.toml"))
]


def offline(config: SearchConfig) -> tuple[str, ...]:
    """The hyperparameters of a request, without the weights that have to be downloaded."""
    return config.hp if config.weights is None else (*config.hp, "weights=none")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-in for a face set: unbalanced, in Kaggle's nested layout with tables beside the images."""
    folder = tmp_path_factory.mktemp("faces")
    images = write_images(folder / "plain", ("fake", "real"), count=70)
    path = folder / "faces.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(images.rglob("*.png")):
            if file.parent.name == "real" or int(file.stem) % 4:
                archive.write(file, Path("real_vs_fake/real-vs-fake", file.relative_to(images)))
        archive.writestr("train.csv", "id,label\n")
    return path


def test_there_are_the_experiments_that_the_guide_names():
    names = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.toml")}
    guide = (ROOT / "README.md").read_text("utf-8")
    assert names
    for name in names:
        assert name in guide


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_asks_for_what_its_space_has(path):
    config = make_config(read_toml(path))
    hypermodel = SpaceHyperModel(config.space, DataSpec((32, 32, 3), 2), offline(config))
    hp = hypermodel.hyperparameters()
    hypermodel.build(hp)
    hypermodel.training(hp)
    known = {parameter.name for parameter in hp.space}
    assert wanted_values(config.hp, hypermodel.presets).keys() <= known
    if config.algorithm == "grid":
        assert space_size(hp) == config.max_trials


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_says_how_it_is_run_and_on_what(path):
    text = path.read_text("utf-8")
    assert f"tuner search --config examples/{path.relative_to(ROOT)} --data" in text
    assert "data" not in tomllib.loads(text), "the data set is the user's"


@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_runs_to_its_end_on_a_sample(path, tuner: Run, images, faces, tmp_path):
    data = faces if "faces" in path.stem else images
    limits = ("--limit", 40, "--limit-test", 20, "--max-trials", 2, "--max-epochs", 1, "--name", "sample")
    weights = ("--weights", "none") if make_config(read_toml(path)).weights else ()
    done = tuner("search", "--config", path, "--data", data, *limits, *weights)
    assert done.code == 0, done.stderr
    run = tmp_path / "results/sample"
    counts = json.loads((run / "run.json").read_text("utf-8"))["data"]["counts"]
    assert sum(sum(split.values()) for split in counts.values()) == 60
    with (run / "trials.csv").open(encoding="utf-8") as file:
        assert {trial["status"] for trial in csv.DictReader(file)} == {"COMPLETED"}
    figures = json.loads((run / "best/evaluation.json").read_text("utf-8"))
    for of_class in figures["classes"].values():
        assert {"precision", "recall"} <= of_class.keys()
    assert (run / "best/confusion_matrix.png").is_file()
    assert (run / "best/learning_curves.png").is_file()
