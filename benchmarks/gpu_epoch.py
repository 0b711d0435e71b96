"""One epoch of the median `sequential` configuration: our loop beside plain `model.fit`, same backend.

    KERAS_BACKEND=jax python -m benchmarks.gpu_epoch                 50,000 images of random pixels
    KERAS_BACKEND=jax python -m benchmarks.gpu_epoch --images 2000   short enough for a CPU
    KERAS_BACKEND=jax python -m benchmarks.gpu_epoch --data FOLDER   the training split of a data set

JSON on stdout, a table on stderr. `arithmetic` is the share of the time that the multiplications of a step
would take at the pace of one large matrix product; the rest is memory traffic, dispatch and waiting.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from tuner.data.dataset import load_dataset
from tuner.training.device import describe_device, quiet_import

with quiet_import():
    import keras
    import keras_tuner as kt

from search_spaces import DataSpec, sequential
from tuner.training.loop import make_loop

BATCH_SIZE = 64
SEED = 0
# A training step multiplies as often as three forward passes: one forward, two backward.
PASSES = 3
GPU_SIDE, CPU_SIDE = 8192, 1536


def pixels(data: str | None, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, height, width, channels) and labels of two classes: of a data set, or at random."""
    if data is None:
        rng = np.random.default_rng(SEED)
        return rng.integers(0, 256, (count, 32, 32, 3), np.uint8), rng.integers(0, 2, count)
    dataset = load_dataset(data)
    if len(dataset.class_names) != 2:
        raise SystemExit(f"error: '{data}' has {len(dataset.class_names)} classes. Name one with 2.")
    indices = np.random.default_rng(SEED).permutation(dataset.splits["train"])[:count]
    return dataset.images[indices], dataset.labels[indices]


def median_model(image_shape: tuple[int, int, int]) -> Any:
    """60 filters of 3x3, two dense layers of 500 units, Adam."""
    keras.utils.set_random_seed(SEED)
    values = {"filters": 60, "kernel_size": 3, "units_1": 500, "units_2": 500}
    hp = kt.HyperParameters()
    hp.values.update(values)
    return sequential.build(hp, DataSpec(image_shape, 2))


def flop_per_image(model: Any) -> int:
    """Floating-point operations to train on one image once, in convolutions and dense layers alone."""
    forward = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            places = math.prod(layer.output.shape[1:-1])
            forward += 2 * places * math.prod(layer.kernel.shape)
    return PASSES * forward


def peak_flop_per_s(repeats: int = 5) -> float:
    """The best pace of a large matrix product on this device, in the precision that training uses."""
    side = GPU_SIDE if describe_device().startswith("GPU") else CPU_SIDE
    matrix = keras.random.normal((side, side), seed=SEED)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        product = keras.ops.matmul(matrix, matrix)
        float(product[0, 0])  # waits for the device
        times.append(time.perf_counter() - start)
    return 2 * side**3 / min(times)


def seconds_of(epoch: Callable[[], Any], repeats: int) -> float:
    """Median seconds of an epoch after one to warm up."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        epoch()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def measure(images: np.ndarray, labels: np.ndarray, repeats: int) -> dict[str, Any]:
    """Train by both; the figures of both."""
    model = median_model(images.shape[1:])
    loop = make_loop(model, images, labels)
    order = np.random.default_rng(SEED).permutation(len(images))
    plain = median_model(images.shape[1:])
    seconds = {
        type(loop).__name__: seconds_of(
            lambda: loop.train_epoch(order, BATCH_SIZE, lambda *_: None), repeats
        ),
        "model.fit": seconds_of(lambda: plain.fit(images, labels, batch_size=BATCH_SIZE, verbose=0), repeats),
    }
    peak, flop = peak_flop_per_s(), flop_per_image(model)
    ours, theirs = seconds.values()
    return {
        "backend": keras.config.backend(),
        "device": describe_device(),
        "machine": describe_machine(),
        "images": len(images),
        "batch_size": BATCH_SIZE,
        "epochs_timed": repeats,
        "mflop_per_image": flop / 1e6,
        "peak_gflop_per_s": peak / 1e9,
        "images_per_s": {name: len(images) / took for name, took in seconds.items()},
        "arithmetic": {name: flop * len(images) / peak / took for name, took in seconds.items()},
        "ratio": theirs / ours,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--data")
    parser.add_argument("--epochs", type=int, default=3, help="timed, after one to warm up")
    arguments = parser.parse_args()
    figures = measure(*pixels(arguments.data, arguments.images), arguments.epochs)
    print(f"{figures['backend']} on {figures['device']}, {figures['images']:,} images", file=sys.stderr)
    print(f"{'':<16}{'images/s':>12}{'arithmetic':>12}", file=sys.stderr)
    for name, pace in figures["images_per_s"].items():
        print(f"{name:<16}{pace:>12,.0f}{figures['arithmetic'][name]:>12.0%}", file=sys.stderr)
    print(f"{'ratio':<16}{figures['ratio']:>12.2f}", file=sys.stderr)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
