"""Finished runs to damage, and the commands that read each of their files."""

from __future__ import annotations

import re
import shutil
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from types import FrameType
from typing import NoReturn

from PIL import Image

from tests.cli.conftest import run_command
from tests.conftest import SIDE, write_npz
from tuner.results.schema import (
    BEST,
    CHECKPOINTS,
    CONFIG_FILE,
    ENSEMBLE_PREFIX,
    EVALUATION_FILE,
    GALLERY_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    RETRAINED,
    ROBUSTNESS_FILE,
    STORE_FILE,
    SUMMARY_FILE,
)

SPACE = """
import keras
from keras import layers


def build(hp, spec):
    model = keras.Sequential([
        keras.Input(spec.image_shape),
        layers.Rescaling(1 / 255),
        layers.Flatten(),
        layers.Dense(hp.Int("units", 4, 16), activation=hp.Choice("activation", ["relu", "tanh"])),
        layers.Dense(1, activation="sigmoid"),
    ])
    rate = hp.Choice("learning_rate", [0.01, 0.003, 0.001])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return model
"""
REQUEST = ("--space", "space.py", "--data", "two.npz", "--max-trials", 4, "--max-epochs", 3)
# The first run is never damaged: it must stay readable beside the second.
OTHER, DAMAGED = "first", "second"
MEMBERS = 2
MODEL_OF_BEST = f"{BEST}/{MODEL_FILE}"
OF_ENSEMBLE = f"{ENSEMBLE_PREFIX}{MEMBERS}"
EXPORTED, PAGE = "exported.keras", "page.html"
LIVE = (".sqlite-wal", ".sqlite-shm")
# Longer than the slowest command on a busy machine.
LIMIT_S = 300.0


@dataclass(frozen=True)
class Reader:
    """A command, the files of the damaged run whose contents it uses, and the texts that it writes."""

    arguments: tuple[object, ...]
    reads: tuple[str, ...] = (STORE_FILE,)
    writes: tuple[str, ...] = ()
    computes: bool = False
    """Whether its figures come from a model, whose last digits differ from one call to the next."""

    @property
    def text(self) -> str:
        return " ".join(map(str, self.arguments))

    def uses(self, file: str) -> bool:
        return any(fnmatch(file, pattern) for pattern in self.reads)


OF_THE_MODEL = (STORE_FILE, MODEL_OF_BEST, f"{BEST}/{EVALUATION_FILE}")
READERS = (
    Reader(("runs", "--format", "json")),
    # Without a name, a command takes the last run.
    Reader(("leaderboard", "--format", "json")),
    Reader(("leaderboard", DAMAGED)),
    Reader(("leaderboard", OTHER, "--format", "json")),
    Reader(("best", DAMAGED, "--format", "json"), (STORE_FILE, f"{BEST}/{EVALUATION_FILE}")),
    Reader(("best", DAMAGED), (STORE_FILE, f"{BEST}/{EVALUATION_FILE}")),
    Reader(("best", DAMAGED, "--format", "toml")),
    Reader(
        ("best", DAMAGED, "--ensemble", MEMBERS, "--format", "json"),
        (STORE_FILE, f"{OF_ENSEMBLE}/{EVALUATION_FILE}"),
    ),
    Reader(
        ("report", DAMAGED, "--out", PAGE),
        (
            *(STORE_FILE, CONFIG_FILE, f"{RETRAINED}/*.json", f"{OF_ENSEMBLE}/{EVALUATION_FILE}"),
            *(
                f"{BEST}/{name}"
                for name in (EVALUATION_FILE, PREDICTIONS_FILE, GALLERY_FILE, ROBUSTNESS_FILE)
            ),
        ),
        writes=(PAGE,),
    ),
    Reader(
        ("compare", OTHER, DAMAGED, "--format", "json"),
        (STORE_FILE, f"{BEST}/{EVALUATION_FILE}", f"{BEST}/{PREDICTIONS_FILE}"),
    ),
    Reader(("importance", DAMAGED, "--format", "json")),
    Reader(("predict", DAMAGED, "a.png", "b.png", "--format", "json"), OF_THE_MODEL, computes=True),
    Reader(
        ("predict", f"results/{DAMAGED}/{OF_ENSEMBLE}/{MODEL_FILE}", "a.png", "--format", "json"),
        (f"{OF_ENSEMBLE}/{MODEL_FILE}", f"{OF_ENSEMBLE}/{EVALUATION_FILE}"),
        computes=True,
    ),
    Reader(
        ("best", DAMAGED, "--retrain", "--seeds", 1, "--export", EXPORTED),
        (f"{RETRAINED}/*/{MODEL_FILE}",),
        writes=("exported.md", "exported.json"),
        computes=True,
    ),
    Reader(("evaluate", DAMAGED, "--format", "json"), OF_THE_MODEL, computes=True),
    Reader(
        ("best", DAMAGED, "--export", EXPORTED, "--format", "json"),
        OF_THE_MODEL,
        writes=("exported.md", "exported.json"),
        computes=True,
    ),
    # These write into the run, and come last.
    Reader(
        ("best", DAMAGED, "--retrain", "--seeds", 1),
        (STORE_FILE, f"{RETRAINED}/{SUMMARY_FILE}", f"{RETRAINED}/*/{EVALUATION_FILE}"),
    ),
    # One more than there is, which is made of the checkpoints.
    Reader(
        ("best", DAMAGED, "--ensemble", MEMBERS + 1),
        (f"{CHECKPOINTS}/*", f"{BEST}/{PREDICTIONS_FILE}"),
        computes=True,
    ),
)
DOCTOR = Reader(("doctor", DAMAGED, "--format", "json"), ("*",))


@dataclass(frozen=True)
class Answer:
    """What a command left behind; `failure` is the traceback of an error that is none of the tool's."""

    code: int = 0
    stdout: str = ""
    stderr: str = ""
    written: tuple[str, ...] = ()
    failure: str = ""


class Arena:
    """A folder with images and two finished runs, one with all that can be made of it afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._whole = folder / "whole"
        if not self._whole.is_dir():
            self._search()
        self.restore()
        shutil.copytree(self._whole / OTHER, self.folder / "results" / OTHER, dirs_exist_ok=True)
        self.files = {
            str(path.relative_to(self.run)): path.stat().st_size
            for path in sorted(self.run.rglob("*"))
            if path.is_file() and path.stat().st_size
        }
        self.sound = {reader: self._sound_answer(reader) for reader in (*READERS, DOCTOR)}

    @property
    def run(self) -> Path:
        return self.folder / "results" / DAMAGED

    def restore(self) -> None:
        """Put the run to damage back as it was."""
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self._whole / DAMAGED, self.run)

    def ask(self, reader: Reader) -> Answer:
        """Run a command in this process."""
        outputs = [self.folder / name for name in reader.writes]
        for path in outputs:
            path.unlink(missing_ok=True)
        try:
            with _limited():
                result = run_command(*reader.arguments, cwd=self.folder, cache=self.folder / "cache")
        except Exception:
            return Answer(failure=traceback.format_exc())
        texts = (result.stdout, *(path.read_text("utf-8") for path in outputs if path.is_file()))
        stdout, *written = (_rounded(text) for text in texts) if reader.computes else texts
        return Answer(result.code, stdout, result.stderr, tuple(written))

    def other_is_as_it_was(self) -> bool:
        """True where no command has changed the run that is not damaged."""
        return _contents(self.folder / "results" / OTHER) == _contents(self._whole / OTHER)

    def _sound_answer(self, reader: Reader) -> Answer:
        self.restore()
        answer = self.ask(reader)
        assert answer.code == 0, f"{reader.text}: {answer.stderr}{answer.failure}"
        self.restore()
        again = self.ask(reader)
        assert (again.stdout, again.written) == (answer.stdout, answer.written), reader.text
        return answer

    def _search(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_npz(self.folder / "two.npz", ("FAKE", "REAL"), 60)
        (self.folder / "space.py").write_text(SPACE, encoding="utf-8")
        for name, level in (("a.png", 40), ("b.png", 200)):
            Image.new("RGB", (SIDE, SIDE), (level, level, level)).save(self.folder / name)
        for seed, name in enumerate((OTHER, DAMAGED), start=1):
            self._do("search", *REQUEST, "--seed", seed, "--name", name, "--quiet")
        self._do("best", DAMAGED, "--retrain", "--seeds", 1)
        self._do("best", DAMAGED, "--ensemble", MEMBERS)
        self._do("evaluate", DAMAGED, "--robustness", "--quiet")
        self._do("report", DAMAGED)
        (self.folder / "results").rename(self._whole)

    def _do(self, *arguments: object) -> None:
        result = run_command(*arguments, cwd=self.folder, cache=self.folder / "cache")
        assert result.code == 0, f"{arguments}: {result.stderr}"


def _rounded(text: str) -> str:
    """Return a text with four digits of each fraction in it."""
    return re.sub(r"\d+\.\d+(e-\d+)?", lambda number: f"{float(number[0]):.4g}", text)


def _contents(folder: Path) -> dict[str, bytes]:
    """Return what each file holds, but for the two that SQLite keeps beside an open store."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in LIVE]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@contextmanager
def _limited() -> Iterator[None]:
    """Let a command that hangs fail."""

    def fail(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"no answer within {LIMIT_S:g} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
