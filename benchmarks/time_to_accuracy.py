"""Seconds until a search has found a model of some validation accuracy: plain Keras Tuner and `tuner`.

    python -m benchmarks.time_to_accuracy --data cifake_24k.zip --seeds 1,2,3 --json FILE

Each side searches `sequential` with Hyperband and its own defaults, on the same training and validation
images, one after the other. Seconds count from the start of a side's process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.output import output_file, put_out, table
from benchmarks.peers.task import PeerTask
from benchmarks.processes import environment, forget_settings, heed_termination, running
from benchmarks.progress_log import (
    Header,
    Progress,
    append,
    begin_log,
    best,
    median_s,
    reaches,
    read_log,
    seconds_to,
    times_sooner,
)
from benchmarks.run_store import metric_by_epoch
from benchmarks.samples import Sample, load_images, stratified, write_sample
from tuner.data.dataset import Dataset
from tuner.errors import TunerError
from tuner.results.schema import STORE_FILE

SIDES = ("keras_tuner", "tuner")
FINAL = "final"
LOOK_EVERY_S = 1.0
_SHOWN_CHARACTERS = 2000


def run_keras_tuner(sample: Sample, options: argparse.Namespace, seed: int, folder: Path, log: Path) -> None:
    """Let Keras Tuner's Hyperband search to its end, or for --keras-tuner-seconds."""
    task = PeerTask(
        folder=str(sample.folder),
        arrays=str(sample.arrays),
        image_shape=sample.image_shape,
        num_classes=sample.num_classes,
        num_train=sample.counts["train"],
        epochs=options.keras_tuner_epochs,
        batch_size=32,
        started_at=time.time(),
        seed=seed,
        log=str(log),
    ).write(folder / "task.json")
    script = "benchmarks.peers.keras_tuner_hyperband"
    command = [sys.executable, "-m", script, str(task), options.keras_tuner_input]
    output = folder / "keras_tuner.log"
    with running(command, environment(folder / "keras_tuner_cache"), output) as process:
        try:
            process.wait(options.keras_tuner_seconds)
        except subprocess.TimeoutExpired:
            return
    _require_success(process, output)


def run_tuner(data: str, options: argparse.Namespace, seed: int, folder: Path, log: Path) -> None:
    """Let `tuner search` run to its end, or until it has reached the accuracy of --tuner-until."""
    request = ("--space", "sequential", "--data", data, "--max-trials", str(options.max_trials))
    place = ("--seed", str(seed), "--results-dir", str(folder), "--name", "run", "--quiet")
    store, output = folder / "run" / STORE_FILE, folder / "tuner.log"
    known: set[tuple[str, int]] = set()
    start = time.perf_counter()

    def note_new_epochs() -> float | None:
        """Write down the epochs finished since the last look; returns the best accuracy among them."""
        found = metric_by_epoch(store, "val_accuracy")
        seconds = time.perf_counter() - start
        new = [Progress(seconds, *key, value) for key, value in found.items() if key not in known]
        append(log, new)
        known.update(found)
        return best(new)

    command = [sys.executable, "-m", "tuner", "search", *request, *place]
    with running(command, environment(folder / "tuner_cache"), output) as process:
        while process.poll() is None:
            time.sleep(LOOK_EVERY_S)
            if reaches(note_new_epochs(), options.tuner_until):
                return
    _require_success(process, output)
    note_new_epochs()


def compare(logs: dict[str, list[Progress]], levels: list[float]) -> dict[str, Any]:
    """Return for one seed what each side reached and when; the last level is Keras Tuner's own best."""
    theirs = best(logs["keras_tuner"])
    named = {f"{level:g}": level for level in levels} | ({} if theirs is None else {FINAL: theirs})
    seconds = {side: {name: seconds_to(level, logs[side]) for name, level in named.items()} for side in SIDES}
    return {
        "seconds": seconds,
        "times_sooner": {
            name: times_sooner(seconds["keras_tuner"][name], seconds["tuner"][name]) for name in named
        },
        "best": {side: best(logs[side]) for side in SIDES},
        "last_s": {side: max((epoch.seconds for epoch in logs[side]), default=None) for side in SIDES},
        "epochs": {side: len(logs[side]) for side in SIDES},
    }


def summary(by_seed: dict[int, dict[str, Any]], levels: list[float]) -> dict[str, Any]:
    """Return the median seconds of each side over the seeds, and how many times sooner `tuner` is."""
    names = [*(f"{level:g}" for level in levels), FINAL]
    medians = {
        side: {
            name: median_s([found["seconds"][side].get(name) for found in by_seed.values()]) for name in names
        }
        for side in SIDES
    }
    ratios = {name: times_sooner(medians["keras_tuner"][name], medians["tuner"][name]) for name in names}
    return {"median_s": medians, "times_sooner": ratios}


def report(by_seed: dict[int, dict[str, Any]], medians: dict[str, Any]) -> str:
    """Return the table: a line for each level and seed, then the medians."""
    rows: list[list[object]] = [["val_accuracy", "seed", "Keras Tuner, s", "tuner, s", "times sooner"]]
    for name, ratio in medians["times_sooner"].items():
        for seed, found in by_seed.items():
            sides = [found["seconds"][side].get(name) for side in SIDES]
            level = f"{name} {found['best']['keras_tuner'] or 0:.4f}" if name == FINAL else name
            rows.append([level, str(seed), *sides, found["times_sooner"].get(name)])
        sides = [medians["median_s"][side][name] for side in SIDES]
        rows.append([name, "median", *sides, ratio])
    for seed, found in by_seed.items():
        shares = [None if value is None else f"{value:.4f}" for value in found["best"].values()]
        rows.append(["best reached", str(seed), *shares, ""])
    return table(rows)


def _require_success(process: subprocess.Popen[bytes], output: Path) -> None:
    if process.returncode != 0:
        text = output.read_text("utf-8", errors="replace")[-_SHOWN_CHARACTERS:]
        raise SystemExit(f"error: a search ended with status {process.returncode}: {text}")


def _search(
    dataset: Dataset, options: argparse.Namespace, seed: int, earlier: Path | None, folder: Path
) -> dict[str, list[Progress]]:
    """Run both sides for one seed and return what they logged."""
    sample = write_sample(
        dataset,
        stratified(dataset, options.images, seed),
        folder / "sample",
        with_folder=options.images is not None or options.keras_tuner_input == "folder",
    )
    header = {side: Header(side, seed, dataset.fingerprint, sample.counts["train"]) for side in SIDES}
    logs = {}
    for side in SIDES:
        print(f"seed {seed}: {side}", file=sys.stderr, flush=True)
        if side == "keras_tuner" and earlier is not None:
            logs[side] = _checked(earlier, header[side])
            continue
        log = _log_path(options.json, folder, side, seed)
        # A log has its name when it is whole; until then another search cannot take it for one.
        draft = log.with_name(f"{log.name}.part")
        begin_log(draft, header[side])
        if side == "tuner":
            run_tuner(str(sample.folder) if options.images else dataset.source, options, seed, folder, draft)
        else:
            run_keras_tuner(sample, options, seed, folder, draft)
        draft.replace(log)
        logs[side] = _checked(log, header[side])
    return logs


def _log_path(result: Path | None, folder: Path, side: str, seed: int) -> Path:
    name = f"{side}-seed{seed}.jsonl"
    return result.with_name(f"{result.stem}-{name}") if result else folder / name


def _by_seed(logs: list[Path], seeds: list[int]) -> dict[int, Path]:
    """The given logs of Keras Tuner, each under its seed."""
    found = {}
    for log in logs:
        try:
            seed = read_log(log)[0].seed
        except ValueError as error:
            raise SystemExit(f"error: {error}") from None
        if seed not in seeds:
            raise SystemExit(f"error: '{log}' is of seed {seed}, --seeds names {seeds}. Add it there.")
        found[seed] = log
    return found


def _checked(log: Path, expected: Header) -> list[Progress]:
    """The epochs of a log that must be about this search."""
    try:
        header, epochs = read_log(log)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    if header != expected:
        raise SystemExit(f"error: '{log}' is of {header}, needed is {expected}. Give such a log, or none.")
    return epochs


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER|ZIP", help="default: stand-in JPEGs")
    parser.add_argument("--seeds", type=_list_of(int), default=[1, 2, 3], metavar="N,...")
    parser.add_argument("--levels", type=_list_of(float), default=[0.85, 0.88, 0.9], metavar="SHARE,...")
    parser.add_argument("--images", type=int, help="training images, of every class the same part")
    parser.add_argument("--keras-tuner-input", choices=("folder", "arrays"), default="arrays")
    parser.add_argument("--keras-tuner-seconds", type=float, help="end Keras Tuner's search after so long")
    parser.add_argument("--keras-tuner-epochs", type=int, default=9, help="its max_epochs")
    parser.add_argument(
        "--keras-tuner-log", type=Path, nargs="+", default=[], metavar="FILE", help="use these logs again"
    )
    parser.add_argument("--max-trials", type=int, default=50, help="of tuner")
    parser.add_argument(
        "--tuner-until", type=_level_or_end, default=2.0, metavar="LEVEL|end", help="default: end"
    )
    parser.add_argument(
        "--json", type=output_file, metavar="FILE", help="write all figures there, logs beside it"
    )
    return parser.parse_args(arguments)


def _list_of(kind: type[int] | type[float]) -> Any:
    def parse_list(text: str) -> list[float]:
        return list(dict.fromkeys(kind(part) for part in text.split(",")))

    parse_list.__name__ = f"list of {kind.__name__}s"
    return parse_list


def _level_or_end(text: str) -> float:
    """No accuracy is above 1: the search goes on to its end."""
    return 2.0 if text == "end" else float(text)


def main() -> None:
    options = parse()
    heed_termination()
    by_seed = {}
    earlier = _by_seed(options.keras_tuner_log, options.seeds)
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            forget_settings(path / "cache")
            try:
                dataset = load_images(options.data, options.images, path / "stand_in", seed)
            except TunerError as error:
                raise SystemExit(f"error: {error}") from None
            by_seed[seed] = compare(_search(dataset, options, seed, earlier.get(seed), path), options.levels)
    medians = summary(by_seed, options.levels)
    result = {
        "benchmark": "time_to_accuracy",
        "machine": describe_machine(),
        "data": options.data or "stand-in",
        "images": options.images,
        "keras_tuner_input": options.keras_tuner_input,
        "seeds": by_seed,
        **medians,
    }
    put_out(result, options.json)
    print(report(by_seed, medians))


if __name__ == "__main__":
    main()
