"""Running the command, and tiny images to run it on."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.cli import main

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
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNER_")}
    return {**kept, "TUNER_CACHE_DIR": str(cache), "TUNER_REUSE": "false"}


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


@pytest.fixture
def tuner(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run `tuner` with arguments in an empty folder; its workers are processes, as always."""
    for name in [name for name in os.environ if name.startswith("TUNER_")]:
        monkeypatch.delenv(name)

    def run(*arguments: object, cwd: Path = tmp_path, **variables: str) -> Result:
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            patch.setenv("TUNER_CACHE_DIR", str(cache))
            patch.setenv("TUNER_REUSE", "false")  # as in `environment`
            for name, value in variables.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["tuner", *map(str, arguments)])
            code = main.run()
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run
