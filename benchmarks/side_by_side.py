"""The same trials by plain Keras Tuner, by Optuna around Keras, and by `tuner`, in turn.

    python -m benchmarks.side_by_side --short
    python -m benchmarks.side_by_side --data cifake_24k.zip --json benchmarks/results/side_by_side.json

All train the same configurations of `sequential` on the same images for the same epochs; none is cut short.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.comparison import OURS, Figures, figures, medians, ratios, report
from benchmarks.machine import describe_machine, run_measured
from benchmarks.output import output_file, put_out
from benchmarks.peers.task import PeerTask
from benchmarks.processes import environment, forget_settings, heed_termination
from benchmarks.run_store import FirstTrial, validation_s
from benchmarks.samples import Sample, load_images, stratified, write_sample
from tuner.cache_folder import ENVIRONMENT as CACHE_VARIABLE
from tuner.data.dataset import load_dataset
from tuner.errors import TunerError
from tuner.results.query import open_run
from tuner.results.schema import COMPLETED, STORE_FILE

PEERS = ("keras_tuner_folder", "keras_tuner_arrays", "optuna_keras")
CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    # The middle of the space, a small corner and a large one.
    {
        "filters": 60,
        "kernel_size": 3,
        "units_1": 500,
        "activation_1": "relu",
        "units_2": 500,
        "activation_2": "relu",
        "learning_rate": 1e-3,
        "optimizer": "adam",
    },
    {
        "filters": 20,
        "kernel_size": 2,
        "units_1": 200,
        "activation_1": "tanh",
        "units_2": 300,
        "activation_2": "relu",
        "learning_rate": 1e-3,
        "optimizer": "sgd",
    },
    {
        "filters": 80,
        "kernel_size": 4,
        "units_1": 700,
        "activation_1": "relu",
        "units_2": 600,
        "activation_2": "tanh",
        "learning_rate": 5e-4,
        "optimizer": "adam",
    },
)
SHORT: dict[str, Any] = {"images": 2000, "epochs": 2, "rounds": 1, "batch_size": [32], "configurations": 2}


def run_peer(name: str, sample: Sample, options: argparse.Namespace, batch_size: int) -> Figures:
    """Run one peer in a process of its own and return its figures."""
    with tempfile.TemporaryDirectory() as folder:
        task = PeerTask(
            folder=str(sample.folder),
            arrays=str(sample.arrays),
            image_shape=sample.image_shape,
            num_classes=sample.num_classes,
            num_train=sample.counts["train"],
            epochs=options.epochs,
            batch_size=batch_size,
            started_at=time.time(),
            configurations=CONFIGURATIONS[: options.configurations],
            seed=options.seed,
        ).write(Path(folder) / "task.json")
        usage = run_measured(
            [sys.executable, "-m", f"benchmarks.peers.{name}", str(task)], environment(Path(folder) / "cache")
        )
    return figures(usage, dict(usage.answer()))


def run_tuner(sample: Sample, options: argparse.Namespace, batch_size: int) -> Figures:
    """Run `tuner search` over the same trials with an empty cache and return its figures."""
    configurations = CONFIGURATIONS[: options.configurations]
    request = {
        "space": "sequential",
        "data": sample.folder,
        "algorithm": "random",
        "max-trials": len(configurations),
        "max-epochs": options.epochs,
        "batch-size": batch_size,
        "patience": 0,
        "seed": options.seed,
        "name": "run",
    }
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tuner", "search", "--quiet", "--results-dir", folder]
        command += [part for name, value in request.items() for part in (f"--{name}", str(value))]
        for values in configurations:
            command += ["--include", ",".join(f"{name}={value}" for name, value in values.items())]
        run = Path(folder) / "run"
        with FirstTrial(run / STORE_FILE) as first_trial:
            usage = run_measured(command, environment(Path(folder) / "cache"))
        if usage.returncode != 0:
            raise RuntimeError(f"tuner ended with status {usage.returncode}; see its output above")
        trials, validation = open_run(run).trials, validation_s(run / STORE_FILE)
    if [trial.status for trial in trials] != [COMPLETED] * len(configurations):
        raise RuntimeError(f"not all trials were completed: {[trial.error for trial in trials]}")
    return figures(
        usage,
        {
            "startup_s": first_trial.after_s,
            "preparation_s": _preparation_s(sample.folder),
            "train_s": sum(trial.train_s for trial in trials),
            "validation_s": validation,
            "images": float(sum(trial.images for trial in trials)),
            "val_accuracy": max(trial.score or 0.0 for trial in trials),
        },
    )


def compare(sample: Sample, options: argparse.Namespace, batch_size: int) -> dict[str, Any]:
    """Run all in turn, round by round."""
    rounds: dict[str, list[Figures]] = {name: [] for name in (*PEERS, OURS)}
    for number in range(1, options.rounds + 1):
        for name, found in rounds.items():
            print(f"batch size {batch_size}, round {number}: {name}", file=sys.stderr, flush=True)
            ours = name == OURS
            found.append(
                run_tuner(sample, options, batch_size)
                if ours
                else run_peer(name, sample, options, batch_size)
            )
    summary = {name: medians(found) for name, found in rounds.items()}
    return {"batch_size": batch_size, "rounds": rounds, "medians": summary, "ratios": ratios(summary)}


def _preparation_s(folder: Path) -> float:
    """Seconds to decode the images into an empty cache, without the start of a process."""
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, {CACHE_VARIABLE: cache}):
        start = time.perf_counter()
        load_dataset(str(folder))
        return time.perf_counter() - start


def numbers(text: str) -> list[int]:
    """Return the numbers of a list such as 32,128."""
    found = [positive(part) for part in text.split(",")]
    return list(dict.fromkeys(found))


def positive(text: str) -> int:
    """Return a whole number, 1 or more."""
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not allowed: a whole number, 1 or more")
    return int(text)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options; what is given beside --short wins over it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER|ZIP", help="default: stand-in JPEGs")
    parser.add_argument("--images", type=positive, help="training images, of every class the same part")
    parser.add_argument("--epochs", type=positive, default=3)
    parser.add_argument("--batch-size", type=numbers, default=[32, 128], metavar="N,...")
    parser.add_argument("--rounds", type=positive, default=2)
    parser.add_argument("--configurations", type=positive, default=len(CONFIGURATIONS), metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="minutes: 2,000 images, 2 epochs, 1 round")
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write all figures there")
    if parser.parse_args(arguments).short:
        parser.set_defaults(**SHORT)
    return parser.parse_args(arguments)


def main() -> None:
    options = parse()
    heed_termination()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        forget_settings(path / "cache")
        try:
            dataset = load_images(options.data, options.images, path / "stand_in", options.seed)
        except TunerError as error:
            raise SystemExit(f"error: {error}") from None
        sample = write_sample(dataset, stratified(dataset, options.images, options.seed), path / "sample")
        result = {
            "benchmark": "side_by_side",
            "machine": describe_machine(),
            "data": options.data or "stand-in",
            "counts": sample.counts,
            "epochs": options.epochs,
            "configurations": CONFIGURATIONS[: options.configurations],
            "batch_sizes": [compare(sample, options, batch_size) for batch_size in options.batch_size],
        }
    put_out(result, options.json)
    for found in result["batch_sizes"]:
        print(
            f"\nbatch size {found['batch_size']}, {options.rounds} rounds, {sample.counts['train']:,} images"
        )
        print(report(found["medians"]))


if __name__ == "__main__":
    main()
