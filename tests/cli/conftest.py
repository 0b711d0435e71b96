"""Running the command, and tiny images to run it on."""

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pools import InlinePool, stub_pool, workers_in
from tuner.cli import main
from tuner.workers.protocol import Pool

SIDE = 8


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def error_lines(self) -> list[str]:
        return [line for line in self.stderr.splitlines() if line.strip()]


Run = Callable[..., Result]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tuner", *map(str, arguments)]


def environment(cache: Path) -> dict[str, str]:
    """The environment of this process, without the variables that change a search.

    Searches take nothing from one another, so that two of them can be compared.
    """
    # Keras sets the last where a test imports it; users have it from `quiet_import`.
    dropped = ("TUNER_", "TF_CPP_MIN_LOG_LEVEL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    own = {"TUNER_CACHE_DIR": str(cache), "TUNER_STATE_DIR": str(cache.with_name(f"{cache.name}-state"))}
    return {**kept, **own, "TUNER_REUSE": "false"}


def write_images(folder: Path, classes: tuple[str, ...] = ("FAKE", "REAL"), count: int = 60) -> Path:
    """Noise whose brightness tells the classes apart most of the time, in CIFAKE's layout."""
    rng = np.random.default_rng(0)
    for split, share in (("train", 1.0), ("test", 0.5)):
        for label, name in enumerate(classes):
            (folder / split / name).mkdir(parents=True)
            for i in range(int(count * share)):
                level = rng.normal(100 + 40 * label, 25)
                pixels = np.clip(rng.normal(level, 40, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i:03d}.png")
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def run_command(
    *arguments: object, cwd: Path, cache: Path, pool: type[Pool] | None = InlinePool, **variables: str
) -> Result:
    """Run `tuner` in this process, in a folder, with these variables.

    Args:
        pool: Where its workers are; None: in processes, as for users.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        workers_in(pool) if pool else contextlib.nullcontext(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(cwd)
        for name in os.environ.keys() - environment(cache).keys():
            patch.delenv(name)
        for name, value in (environment(cache) | variables).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["tuner", *map(str, arguments)])
        code = main.run()
    return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture
def tuner(request: pytest.FixtureRequest, tmp_path: Path, cache: Path) -> Run:
    """Run `tuner` with arguments in an empty folder. Its workers are processes in tests marked so."""
    real = any(request.node.get_closest_marker(name) for name in ("process", "faults", "ray"))

    def run(*arguments: object, cwd: Path = tmp_path, **variables: str) -> Result:
        return run_command(*arguments, cwd=cwd, cache=cache, pool=None if real else InlinePool, **variables)

    return run


@dataclass(frozen=True)
class Finished:
    """A search that is over: the folder that holds results/first, and what the command said."""

    folder: Path
    result: Result

    @property
    def run(self) -> Path:
        return self.folder / "results" / "first"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> Finished:
    """Hyperband over four configurations of `sequential`, seed 7; only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    request = ("--max-trials", 4, "--max-epochs", 3, "--batch-size", 4, "--seed", 7, "--name", "first")
    small = ("--hp", "filters=20|40", "--hp", "units_1=100|200|300", "--hp", "units_2=100|200")
    result = run_command(
        "search", "--space", "sequential", "--data", images, *request, *small, cwd=folder, cache=cache
    )
    assert result.code == 0, result.stderr
    return Finished(folder, result)


@pytest.fixture
def copy_of_finished(finished: Finished, tmp_path: Path) -> Path:
    """A folder that holds a copy of results/first, to change."""
    shutil.copytree(finished.folder / "results", tmp_path / "results")
    return tmp_path


@pytest.fixture
def long(tmp_path: Path, images: Path, cache: Path) -> Path:
    """A folder with a run that is to be trained for so many epochs that it can be stopped among them."""
    small = ("--max-epochs", 30, "--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")
    result = run_command(
        *("train", "--space", "sequential", "--data", images, "--name", "first", "--quiet", *small),
        cwd=tmp_path,
        cache=cache,
        pool=stub_pool(lambda _, epoch: epoch / 100),
    )
    assert result.code == 0, result.stderr
    return tmp_path
