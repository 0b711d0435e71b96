"""Seconds that `tuner report` and `tuner importance` take on large runs, and what the page holds.

    python -m benchmarks.large_runs --trials 500,2000,5000,10000 --space cnn

The runs are made up: their values are drawn from a space as a random search draws them, and a few of them
move the scores and the seconds of ten epochs; no model is trained. Each command is a process of its own,
with all that it imports. Prints a table, and JSON to stdout or to --json FILE.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.machine import MIB, describe_machine, run_measured
from benchmarks.output import output_file, put_out, table
from search_spaces import DataSpec
from tests.report.reported import facts_of_a_run
from tests.results.records import record
from tuner.config import make_config
from tuner.results.schema import COMPLETED, REPORT_FILE, STORE_FILE
from tuner.results.store import Store
from tuner.training.checkpoint import Epoch
from tuner.training.device import quiet_import
from tuner.training.task import EpochDone

EPOCHS = 10
SPEC = DataSpec((32, 32, 3), 2)
NOISE = 0.01
"""Standard deviation of a score around its learning curve."""
FAILED_EVERY = 50
COMMANDS = ("importance", "report")


class Rule:
    """What the values of a space do to a score and to the seconds of an epoch: a few much, most little."""

    def __init__(self, space: Any, seed: int) -> None:
        from tuner.spaces.configurations import all_values

        rng = random.Random(seed)
        self._effects: dict[tuple[str, Any], tuple[float, float]] = {}
        names = dict.fromkeys(parameter.name for parameter in space.space)
        strengths = [{name: rng.expovariate(1.0) ** 2 for name in names} for _ in range(2)]
        of_score, of_seconds = ({n: v / sum(each.values()) for n, v in each.items()} for each in strengths)
        for parameter in space.space:
            values, peak = list(all_values(parameter)), rng.random()
            for place, value in enumerate(values):
                position = place / max(len(values) - 1, 1)
                self._effects[parameter.name, value] = (
                    -8 * of_score[parameter.name] * abs(position - peak),
                    3 * of_seconds[parameter.name] * position,
                )

    def accuracy(self, values: dict[str, Any], epoch: int) -> float:
        """Return a point of the learning curve, in 0.5..1."""
        total = sum(self._effects[each][0] for each in values.items())
        end = 0.5 + 0.48 / (1 + math.exp(-2 - total))
        return 0.5 + (end - 0.5) * (1 - math.exp(-epoch / 3))

    def seconds(self, values: dict[str, Any]) -> float:
        """Return the seconds of an epoch."""
        return math.exp(sum(self._effects[each][1] for each in values.items()))


def make_run(path: Path, trials: int, space: Any, seed: int = 0) -> None:
    """Make up a finished random search of a space in a new folder.

    Args:
        space: The hyperparameters, all declared, of no continuous one.
    """
    from tuner.spaces.configurations import draw

    rng, rule, spent_s = random.Random(seed), Rule(space, seed), 0.0
    path.mkdir(parents=True)
    config = make_config({"algorithm": "random", "max_trials": trials, "max_epochs": EPOCHS})
    declared = {"config": config.model_dump(mode="json"), "hyperparameters": space.get_config()}
    facts = {
        **facts_of_a_run(),
        "run_id": path.name,
        "algorithm": "random",
        **json.loads(json.dumps(declared)),
    }
    store = Store.create(path / STORE_FILE, facts)
    for number in range(1, trials + 1):
        trial_id, values, best = f"{number:04d}", draw(space, number), 0.0
        store.start_rung(record(trial_id, values=values))
        if number % FAILED_EVERY == 0:
            store.fail(trial_id, 0, "oom: 4 GiB are not enough")
            continue
        for epoch in range(1, EPOCHS + 1):
            score = min(1.0, rule.accuracy(values, epoch) + rng.gauss(0, NOISE))
            took = rule.seconds(values) * rng.uniform(0.95, 1.05)
            spent_s += took
            metrics = {
                "accuracy": score,
                "loss": 2 - 2 * score,
                "val_accuracy": score,
                "val_auc": (1 + score) / 2,
                "val_loss": 2 - 2 * score,
            }
            done = EpochDone(trial_id, 0, epoch, Epoch(metrics, took, 0.9 * took, 10_000))
            store.record_epoch(done, score if score > best else None, {"spent_s": spent_s})
            best = max(best, score)
        store.finish_rung(trial_id, 0, COMPLETED, round(1e5 * rule.seconds(values)), 0.5)
    store.close()


def declared_space(name: str) -> Any:
    """Return the hyperparameters of a built-in space; its first build declares them all."""
    with quiet_import():
        import keras_tuner as kt
    space, hp = import_module(f"search_spaces.{name}"), kt.HyperParameters()
    space.build(hp, SPEC)
    if hasattr(space, "training"):
        space.training(hp)
    return hp


def measure(path: Path) -> dict[str, Any]:
    """Run each command on a run as a user does; return its figures."""
    found: dict[str, Any] = {}
    for name in COMMANDS:
        usage = run_measured([sys.executable, "-m", "tuner", name, str(path)])
        if usage.returncode:
            raise SystemExit(f"error: tuner {name} {path} failed.")
        found |= {f"{name}_s": usage.wall_s, f"{name}_cpu_s": usage.cpu_s, f"{name}_mib": usage.peak_mib}
    page = path / REPORT_FILE
    return {**found, "page_mib": page.stat().st_size / MIB, **marks(page.read_text("utf-8"))}


def marks(page: str) -> dict[str, int]:
    """Count what a browser has to draw: rows of the table, and points of the plots of trials."""
    data = json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])
    lines, trials = data["curves"], len(data["trials"])
    return {
        "rows": page.count("<tr data-trial="),
        "points": sum(len(line["values"]) for line in lines)
        + sum(len(line) for line in data["progress"].values())
        + trials * (2 * len(data["axes"]) + 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", default="500,2000,5000,10000", help="one number or several")
    parser.add_argument("--space", default="cnn", help="a built-in one without continuous hyperparameters")
    parser.add_argument("--json", type=output_file, help="write the result here instead of to stdout")
    arguments = parser.parse_args()
    space, found = declared_space(arguments.space), []
    with tempfile.TemporaryDirectory() as folder:
        for trials in map(int, arguments.trials.split(",")):
            path = Path(folder, f"{arguments.space}-{trials}")
            make_run(path, trials, space)
            found.append({"trials": trials, **measure(path)})
    print(table([list(found[0]), *(list(each.values()) for each in found)]), file=sys.stderr)
    result = {"space": arguments.space, "runs": found, "machine": describe_machine()}
    put_out(result, arguments.json)


if __name__ == "__main__":
    main()
