"""The decision to compile with XLA, by a measurement that is kept for later runs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tuner.cache_folder import cache_root, keep_file
from tuner.data.dataset import Dataset
from tuner.errors import DataError
from tuner.training.build import build_model
from tuner.training.device import describe_device
from tuner.training.loop import make_loop

# Compiling takes seconds for each trial; with fewer images, a training without it ends sooner on any device.
MIN_IMAGES = 20_000
# Measuring takes seconds too; a search with fewer images in all does not save as much.
MIN_IMAGES_IN_ALL = 500_000
# Share of a trial's time that XLA has to save; a smaller one may be chance.
MIN_GAIN = 0.1
MEASURED_S = 0.5


@dataclass(frozen=True)
class Pace:
    """The pace of a training: seconds until the end of the first steps, and images a second after them."""

    start_s: float
    images_per_s: float

    def seconds(self, images: float) -> float:
        """Return the seconds to train on a number of images."""
        return self.start_s + images / self.images_per_s


def choose_xla(
    wanted: Literal["auto", "on", "off"],
    hypermodel: Any,
    dataset: Dataset,
    values: dict[str, Any],
    batch_size: int,
    images: float,
    trials: int,
) -> bool:
    """Return whether to compile training steps with XLA.

    Args:
        wanted: "auto" compares a model with and without XLA, once for a device, a model and a batch size.
        values: Configuration of that model.
        images: Mean number of training images of a trial.
        trials: Number of trials.
    """
    import keras

    if wanted != "auto" or keras.config.backend() != "tensorflow":
        return wanted == "on"
    if images < MIN_IMAGES or images * trials < MIN_IMAGES_IN_ALL:
        return False

    def build() -> Any:
        return build_model(hypermodel, values, dataset)

    path = cache_root() / "pace" / f"{_key(build(), dataset, batch_size)}.json"
    plain, compiled = _remembered(path) or _measured(path, build, dataset, batch_size)
    return pays(plain, compiled, images)


def pays(plain: Pace, compiled: Pace, images: float) -> bool:
    """True if compiling saves at least MIN_GAIN of a trial's time."""
    return compiled.seconds(images) <= (1 - MIN_GAIN) * plain.seconds(images)


def _key(model: Any, dataset: Dataset, batch_size: int) -> str:
    import tensorflow as tf

    shapes = [[layer.__class__.__name__, *(tuple(v.shape) for v in layer.weights)] for layer in model.layers]
    known = [
        describe_device(),
        tf.__version__,
        dataset.image_shape,
        batch_size,
        model.dtype_policy.name,
        shapes,
    ]
    return blake2b(json.dumps(known).encode(), digest_size=12).hexdigest()


def _remembered(path: Path) -> tuple[Pace, Pace] | None:
    try:
        saved = json.loads(path.read_text("utf-8"))
        return Pace(**saved["plain"]), Pace(**saved["compiled"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _measured(path: Path, build: Callable[[], Any], dataset: Dataset, batch_size: int) -> tuple[Pace, Pace]:
    plain = _pace(build, dataset, batch_size, xla=False)
    try:
        compiled = _pace(build, dataset, batch_size, xla=True)
    except Exception:  # XLA does not support every operation, and raises various errors
        compiled = plain  # no gain
    with contextlib.suppress(DataError):  # the next run measures again
        keep_file(path, json.dumps({"plain": asdict(plain), "compiled": asdict(compiled)}).encode())
    return plain, compiled


def _pace(build: Callable[[], Any], dataset: Dataset, batch_size: int, xla: bool) -> Pace:
    start = time.perf_counter()
    model = build()
    loop = make_loop(model, dataset.images, dataset.labels, xla)
    batches = np.resize(dataset.splits["train"], 4 * batch_size)
    loop.train_epoch(batches, batch_size, lambda *_: None)
    first_s = time.perf_counter() - start
    done, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < MEASURED_S:
        loop.train_epoch(batches, batch_size, lambda *_: None)
        done += len(batches)
    return Pace(first_s, done / seconds)
