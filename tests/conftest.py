"""What all tests share: a cache of their own, no clock on Hypothesis, and a data set of a few pixels."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tuner.data.dataset import Dataset, load_dataset
from tuner.training.device import DEFAULTS, load_backend

# Before any test imports TensorFlow: its own choice depends on the processor, that of a worker does not, and
# the two round differently.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", DEFAULTS["TF_ENABLE_ONEDNN_OPTS"])

settings.register_profile("tuner", deadline=None)
settings.load_profile("tuner")

SIDE = 8


def heed_interrupts() -> None:
    """Undo what a shell does that starts tests in the background: their children would ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


heed_interrupts()


def pytest_collection_finish() -> None:
    """Where tests have imported Keras: its many garbage collections need not visit the libraries."""
    if "keras" in sys.modules:
        load_backend()


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded data sets and the key of the tests, never among the user's."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("session-cache")
        patch.setenv("TUNER_CACHE_DIR", str(root))
        patch.setenv("TUNER_STATE_DIR", str(tmp_path_factory.mktemp("session-state")))
        yield root


def write_npz(path: Path, class_names: tuple[str, ...], images_per_class: int) -> Path:
    """Write a data set without splits; later classes are brighter, so that a net can tell them apart."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(class_names)), images_per_class)
    noise = rng.integers(0, 128, (len(labels), SIDE, SIDE, 3))
    images = noise + labels[:, None, None, None] * 127 // (len(class_names) - 1)
    np.savez(path, x=images.astype(np.uint8), y=labels, class_names=np.array(class_names))
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two classes, 120 images of 8x8 pixels."""
    path = write_npz(tmp_path_factory.mktemp("npz") / "two.npz", ("FAKE", "REAL"), 60)
    return load_dataset(str(path))


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three classes, 90 images of 8x8 pixels."""
    path = write_npz(tmp_path_factory.mktemp("npz") / "three.npz", ("ant", "bee", "cat"), 30)
    return load_dataset(str(path))
