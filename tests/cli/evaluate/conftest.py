"""Runs and an exported model to evaluate, and images of the same kind from elsewhere."""

import shutil

import pytest

from tests.cli.conftest import write_images


@pytest.fixture(scope="session")
def searched(tmp_path_factory, images, cache):
    """A folder with results/first and results/second, and the first exported as model.keras."""
    from tuner.cli import main

    folder = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TUNER_CACHE_DIR", str(cache))
        patch.setenv("TUNER_REUSE", "false")

        def tuner(*arguments):
            patch.setattr("sys.argv", ["tuner", *map(str, arguments)])
            assert main.run() == 0

        small = ("--data", images, "--max-epochs", 2, "--batch-size", 32, "--quiet")
        small += ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")
        tuner("train", "--space", "sequential", "--name", "first", *small)
        tuner("train", "--space", "sequential", "--name", "second", "--seed", 1, *small)
        tuner("best", "first", "--export", "model.keras")
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
