"""Runs and an exported model to evaluate, and images of the same kind from elsewhere."""

import shutil

import pytest

from tests.cli.conftest import run_command, write_images
from tests.cli.evaluate.reading import shorten_suite, train_untrained


@pytest.fixture(scope="session")
def searched(tmp_path_factory, finished, images, cache):
    """A folder with results/first and results/second, and the first exported as model.keras."""
    folder = tmp_path_factory.mktemp("searched")
    shutil.copytree(finished.run, folder / "results" / "first")
    train_untrained(folder, cache, "--name", "second", "--data", images)
    exported = run_command("best", "first", "--export", "model.keras", cwd=folder, cache=cache)
    assert exported.code == 0, exported.stderr
    return folder


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory):
    """The same kind of images under other names, larger and without splits."""
    folder = tmp_path_factory.mktemp("elsewhere")
    write_images(folder / "all", ("generated", "photo"), count=30)
    shutil.move(folder / "all" / "train", folder / "images")
    return folder / "images"


@pytest.fixture
def at(tuner, searched):
    """Run `tuner` where the runs and the model are."""

    def run(*arguments, **variables):
        return tuner(*arguments, cwd=searched, **variables)

    return run


@pytest.fixture
def short_suite(monkeypatch):
    shorten_suite(monkeypatch)
