"""Images a second of `tuner predict` on a folder of many, end to end and after loading.

    python -m benchmarks.prediction                            5,000 images of 32x32, half PNG, half JPEG
    python -m benchmarks.prediction --data FOLDER --model RUN  one's own images, or model

Without --model it is the default of the space `resnet`, whose weights are random: it takes as long as a
trained one. Each round is a process of its own; it has loaded when it writes the head of its table. Prints a
table, and JSON to stdout or to --json FILE.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import describe_machine
from benchmarks.output import output_file, put_out, table
from tuner.training.device import quiet_import

CLASSES = "FAKE,REAL"
SIDE = 32
SUFFIXES = (".png", ".jpg")


def write_images(folder: Path, count: int, seed: int) -> Path:
    """Write images of coarse noise, the formats in turn, and return their folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        coarse = rng.integers(0, 256, (SIDE // 4, SIDE // 4, 3), np.uint8)
        image = Image.fromarray(coarse.repeat(4, axis=0).repeat(4, axis=1))
        image.save(folder / f"{index:06d}{SUFFIXES[index % len(SUFFIXES)]}")
    return folder


def write_model(path: Path) -> Path:
    """Write the default network of the space `resnet` and return its path."""
    with quiet_import():
        import keras
        import keras_tuner as kt

    from search_spaces import DataSpec, resnet

    keras.utils.set_random_seed(0)
    resnet.build(kt.HyperParameters(), DataSpec((SIDE, SIDE, 3), 2)).save(path)
    return path


def predict(arguments: Sequence[str]) -> dict[str, float]:
    """Run `tuner predict` once; return images, the seconds until it had loaded, those in all, and of cores.

    Raises:
        SystemExit: it failed; what it said is on stderr.
    """
    command = [sys.executable, "-m", "tuner", "predict", *arguments, "--format", "csv", "--quiet"]
    start, before = time.perf_counter(), _children_cpu_s()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        loaded_s = time.perf_counter() - start
        images = sum(1 for _ in process.stdout)
    if process.returncode:
        raise SystemExit(process.returncode)
    whole_s = time.perf_counter() - start
    return {
        "images": images,
        "loaded_s": loaded_s,
        "whole_s": whole_s,
        "cpu_s": _children_cpu_s() - before,
    }


def measure(data: str | None, model: str | None, images: int, rounds: int, seed: int) -> dict[str, Any]:
    """Predict the same images some times over; return the figures of each time, and medians."""
    with tempfile.TemporaryDirectory() as folder:
        source = data or str(write_images(Path(folder) / "images", images, seed))
        named = [model] if model else [str(write_model(Path(folder) / "model.keras")), "--classes", CLASSES]
        load_before = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        made = [predict([*named, source]) for _ in range(rounds)]
    return {
        "data": data,
        "model": model,
        "images": made[0]["images"],
        "seed": seed,
        "rounds": made,
        "images_per_s": {
            "end to end": statistics.median(each["images"] / each["whole_s"] for each in made),
            "after loading": statistics.median(
                each["images"] / (each["whole_s"] - each["loaded_s"]) for each in made
            ),
        },
        "load_average_before": load_before,
        "machine": describe_machine(),
    }


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="a folder or .zip of images instead")
    parser.add_argument("--model", help="a model file or a run instead")
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=output_file, help="write the result here instead of to stdout")
    given = parser.parse_args()
    result = measure(given.data, given.model, max(1, given.images), max(1, given.rounds), given.seed)
    seconds = statistics.median(each["loaded_s"] for each in result["rounds"])
    rows = [
        ("images", result["images"]),
        ("until loaded, s", seconds),
        ("CPU, s", statistics.median(each["cpu_s"] for each in result["rounds"])),
        *((f"images/s {name}", pace) for name, pace in result["images_per_s"].items()),
    ]
    print(table(rows), file=sys.stderr)
    put_out(result, given.json)


if __name__ == "__main__":
    main()
