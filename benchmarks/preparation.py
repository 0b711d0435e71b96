"""Time and memory until the images of a data set can be trained on, beside Keras reading the same folder.

    python -m benchmarks.preparation --data FOLDER_OR_ZIP --json preparation.json

Each task runs in a process of its own. Seconds and CPU seconds leave its imports out, peak memory does not.
Cold starts find an empty cache of decoded images, warm starts one that is filled; the image files themselves
are in the system's file cache. Keras reads one epoch in batches of 32, as it does again for the next one.
Without --data the images are JPEGs made for the purpose.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
import psutil

from benchmarks.machine import MIB, Usage, describe_machine, run_measured
from benchmarks.output import output_file, put_out, table
from benchmarks.processes import environment, heed_termination
from benchmarks.samples import write_stand_in
from tuner.data.dataset import load_dataset
from tuner.sources.opening import open_source

STAND_IN_IMAGES = 10_000
BATCH_SIZE = 32
KERAS, PREPARE = "keras", "prepare"
COLD_FOLDER, WARM_FOLDER = "cold, from the folder", "warm, from the folder"
COLD_ZIP, WARM_ZIP = "cold, from the zip", "warm, from the zip"
EPOCH = "Keras, one epoch"


def measure(task: Callable[[], int]) -> dict[str, float]:
    """Run a task that returns a number of images; return what it took."""
    process = psutil.Process()
    rss, cpu, start = process.memory_info().rss, time.process_time(), time.perf_counter()
    images = task()
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu
    growth = (process.memory_info().rss - rss) / MIB
    return {"images": images, "seconds": seconds, "cpu_s": cpu_s, "growth_mib": growth}


def prepare(source: str) -> int:
    """Prepare a data set as a search does; returns the number of its images."""
    return sum(map(len, load_dataset(source).splits.values()))


def read_epoch(folder: str, side: int) -> Callable[[], int]:
    """Return a task that reads every image of a folder once as Keras does."""
    import keras

    def task() -> int:
        dataset = keras.utils.image_dataset_from_directory(
            folder, labels=None, image_size=(side, side), batch_size=BATCH_SIZE, verbose=False
        )
        return sum(len(batch) for batch in dataset)

    return task


def write_images(data: str, limit: int | None, target: Path) -> Path:
    """Write the images of a source, or `limit` of them evenly spread, into a folder of the same layout."""
    listing = open_source(data).listing()
    count = min(limit or len(listing.paths), len(listing.paths))
    with listing.open_reader() as read:
        for index in np.linspace(0, len(listing.paths) - 1, count).astype(int):
            path = target / listing.paths[index]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(read(listing.handles[index])))  # type: ignore[arg-type] # files, not arrays
    return target


def write_zip(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            archive.write(file, file.relative_to(folder))
    return path


def run_round(folder: Path, archive: Path, cache: Path, side: int) -> dict[str, dict[str, float]]:
    """Measure every task once."""
    shutil.rmtree(cache, ignore_errors=True)
    tasks = {
        COLD_FOLDER: (PREPARE, str(folder)),
        WARM_FOLDER: (PREPARE, str(folder)),
        COLD_ZIP: (PREPARE, str(archive)),
        WARM_ZIP: (PREPARE, str(archive)),
        EPOCH: (KERAS, str(folder), str(side)),
    }
    results = {}
    for name, task in tasks.items():
        command = [sys.executable, "-m", "benchmarks.preparation", "--child", *task]
        usage: Usage = run_measured(command, environment(cache))
        results[name] = {**usage.answer(), "peak_mib": usage.peak_mib}
        print(f"{name}: {results[name]['seconds']:.2f} s", file=sys.stderr, flush=True)
    return results


def benchmark(data: str | None, limit: int | None, rounds: int) -> dict[str, Any]:
    """Return the figures of all tasks, each from the round with the median of its seconds."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        if data is None:
            folder = write_stand_in(place / "images", round((limit or STAND_IN_IMAGES) / 1.2), seed=0)
        elif Path(data).is_dir() and limit is None:
            folder = Path(data)
        else:
            folder = write_images(data, limit, place / "images")
        whole_zip = data is not None and limit is None and not Path(data).is_dir()
        archive = Path(str(data)) if whole_zip else write_zip(folder, place / "images.zip")
        os.environ.update(environment(place / "cache"))
        shape = load_dataset(str(folder)).image_shape
        done = [run_round(folder, archive, place / "cache", shape[0]) for _ in range(rounds)]
    tasks = {}
    for name in done[0]:
        middle = median_low(results[name]["seconds"] for results in done)
        tasks[name] = next(results[name] for results in done if results[name]["seconds"] == middle)
        tasks[name]["images_per_s"] = tasks[name]["images"] / tasks[name]["seconds"]
    epoch_s = tasks[EPOCH]["seconds"]
    return {
        "machine": describe_machine(),
        "images": tasks[COLD_ZIP]["images"],
        "pixels_mib": tasks[COLD_ZIP]["images"] * float(np.prod(shape)) / MIB,
        "rounds": rounds,
        "tasks": tasks,
        "epoch_of_keras_over": {name: epoch_s / values["seconds"] for name, values in tasks.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder or .zip of image files")
    parser.add_argument("--limit", type=int, help="number of images, evenly taken from all")
    parser.add_argument("--rounds", type=int, default=1, help="the median of so many is shown")
    parser.add_argument("--json", type=output_file, help="file for all figures; stdout if not given")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    heed_termination()
    if arguments.child:
        kind, source, *side = arguments.child
        task = read_epoch(source, int(side[0])) if kind == KERAS else partial(prepare, source)
        print(json.dumps(measure(task)))
        return
    result = benchmark(arguments.data, arguments.limit, arguments.rounds)
    columns = ("seconds", "images_per_s", "cpu_s", "peak_mib", "growth_mib")
    rows = [[name, *(values[column] for column in columns)] for name, values in result["tasks"].items()]
    print(f"{result['images']:,} images, {result['pixels_mib']:.0f} MiB of pixels", file=sys.stderr)
    print(table([["", "seconds", "images/s", "CPU s", "peak MiB", "growth MiB"], *rows]), file=sys.stderr)
    put_out(result, arguments.json)


if __name__ == "__main__":
    main()
