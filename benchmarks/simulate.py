"""What the driver of a large search costs: the real search, Oracle and store around simulated workers.

    python -m benchmarks.simulate --trials 1000,10000 --workers 1000 --algorithm asha

Workers train nothing and wait for nothing. Epochs take, on a virtual clock, as long as those of a finished
run did; scores follow learning curves with noise; with --lost, workers die. Each search has a process of
its own.
Prints a table, and JSON to stdout or to --json FILE.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from benchmarks.machine import MIB, describe_machine
from benchmarks.output import output_file, put_out, table
from benchmarks.parts import Parts, time_in
from benchmarks.simulated_pool import FACTS, SimulatedPool, epoch_seconds, space
from tuner.config import WITH_RUNGS, make_config
from tuner.results.run_folder import run_folder
from tuner.results.schema import STORE_FILE, TRIALS_FILE
from tuner.results.store import Store
from tuner.results.store_reader import StoreReader
from tuner.training.device import quiet_import

REFERENCE = Path(__file__).parent.parent / "results" / "reference" / "resnet-cifake24k"


@dataclass(frozen=True)
class Request:
    """One search. `times` is the table of a finished run; `lost` the probability of a death in an epoch."""

    algorithm: str
    sampler: str
    trials: int
    workers: int
    max_epochs: int
    times: str
    lost: float = 0.0
    seed: int = 0
    folder: str | None = None


@dataclass(frozen=True)
class Lap:
    """What was used by the time so many rungs of trials had ended and so many epochs were on record."""

    rungs: int
    epochs: int
    cpu_s: float
    stub_cpu_s: float
    wall_s: float
    resident_mib: float

    @property
    def driver_s(self) -> float:
        """CPU seconds without those of the simulated workers."""
        return self.cpu_s - self.stub_cpu_s


def simulate(request: Request) -> dict[str, Any]:
    """Run one search and return what it used."""
    with quiet_import():
        import keras_tuner  # noqa: F401
    from tuner.training.task import EpochDone
    from tuner.tuning.driver import Search
    from tuner.tuning.events import RungEnded, TrialStarted
    from tuner.tuning.oracles import make_oracle

    config = make_config(
        {
            "algorithm": request.algorithm,
            "max_trials": request.trials,
            "max_epochs": request.max_epochs,
            "patience": 0,
            "seed": request.seed,
            **({"sampler": request.sampler} if request.algorithm in WITH_RUNGS else {}),
        }
    )
    pool = SimulatedPool(request.workers, epoch_seconds(Path(request.times)), request.lost, request.seed)
    laps: list[Lap] = []
    rungs: Counter[int] = Counter()
    newest, epochs, busy = 0, 0, 1.0
    process, start_s, start_cpu_s = psutil.Process(), time.perf_counter(), time.process_time()

    with _folder(request.folder) as folder, time_in(_parts()) as spent:

        def note() -> None:
            cpu_s, stub_s = time.process_time() - start_cpu_s, spent["simulated workers"]
            wall_s = time.perf_counter() - start_s
            resident_mib = process.memory_info().rss / MIB
            laps.append(Lap(rungs.total(), epochs, cpu_s, stub_s, wall_s, resident_mib))

        def listen(event: object) -> None:
            nonlocal newest, epochs, busy
            if isinstance(event, TrialStarted) and int(event.trial_id) > newest:
                newest, busy = int(event.trial_id), pool.busy
            elif isinstance(event, EpochDone):
                epochs += 1
            elif isinstance(event, RungEnded):
                rungs[event.trial.rung] += 1
                if rungs.total() % max(1, request.trials // 200) == 0:
                    note()

        note()
        store = Store.create(folder / STORE_FILE, FACTS)
        search = Search(config, run_folder(folder, config), store, make_oracle(config, space()), pool, listen)
        outcome = search.run()
        note()
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        shares = {part: seconds for part, seconds in spent.items() if part != "simulated workers"}
        trials = store.trials()
        store.close()
        store_mib = (folder / STORE_FILE).stat().st_size / MIB
        left = sum(1 for _ in (folder / "checkpoints").iterdir())
    # Behind the last rung: the tables are written once more, and the last checkpoints go.
    last, tenths = laps[-1], _tenths(laps[:-1])
    return {
        **asdict(request),
        "times": Path(request.times).parent.name,
        "temporary_folder": tempfile.gettempdir(),
        "outcome": outcome.status,
        "trials": len(trials),
        "epochs": epochs,
        "rungs": [rungs[rung] for rung in sorted(rungs)],
        "best": max(trial.score or 0.0 for trial in trials),
        "lost_workers": pool.num_lost,
        "virtual_hours": pool.now_s / 3600,
        "workers_busy_until_the_last_trial_began": busy,
        "wall_s": last.wall_s,
        "cpu_s": last.cpu_s,
        "driver_cpu_s": last.driver_s,
        "trials_per_driver_cpu_s": len(trials) / last.driver_s,
        "driver_cpu_ms_per_trial": 1000 * last.driver_s / len(trials),
        "driver_cpu_ms_per_rung_by_tenth": [
            1000 * (after.driver_s - before.driver_s) / (after.rungs - before.rungs)
            for before, after in pairwise(tenths)
        ],
        "driver_cpu_ms_per_epoch_by_tenth": [
            1000 * (after.driver_s - before.driver_s) / (after.epochs - before.epochs)
            for before, after in pairwise(tenths)
        ],
        "closing_cpu_s": last.driver_s - tenths[-1].driver_s,
        "share_of_driver": {part: seconds / last.driver_s for part, seconds in shares.items()},
        "store_mib": store_mib,
        "store_kib_per_trial": 1024 * store_mib / len(trials),
        "resident_mib_by_tenth": [lap.resident_mib for lap in tenths],
        "peak_mib": peak_mib,
        "resident_kib_per_trial": 1024
        * (tenths[-2].resident_mib - tenths[1].resident_mib)
        * 10
        / 8
        / len(trials),
        "checkpoints_left": left,
    }


def _tenths(laps: list[Lap]) -> list[Lap]:
    """The laps nearest to each tenth of all rungs, from the start to the end."""
    whole = laps[-1].rungs
    return [min(laps, key=lambda lap: abs(lap.rungs - whole * tenth / 10)) for tenth in range(11)]


def _parts() -> Parts:
    """What the driver is made of; the rest of its time is its own."""
    from tuner.tuning.checkpoints import Checkpoints
    from tuner.tuning.oracles.planned import PlannedOracle
    from tuner.tuning.outputs import Outputs

    reads = ("run", "trial", "trials", "epochs", "each_epoch")
    events = ("start_rung", "record_epoch", "finish_rung", "stop", "back_up")
    return {
        "Oracle": [(PlannedOracle, ("create_trial", "end_trial", "retry", "may_continue"))],
        "store": [(StoreReader, reads), (Store, events)],
        "outputs": [(Outputs, ("refresh", "write"))],
        "checkpoints": [(Checkpoints, ("refresh", "prune"))],
        "simulated workers": [(SimulatedPool, ("idle", "submit", "next_event"))],
    }


@contextmanager
def _folder(given: str | None) -> Iterator[Path]:
    if given is not None:
        yield Path(given)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _table(results: list[dict[str, Any]]) -> str:
    rows: list[list[object]] = [
        [
            "algorithm, trials, workers",
            "trials/s",
            *(f"ms/rung, tenth {n}" for n in (1, 5, 10)),
            "store MiB",
            "peak MiB",
            "KiB/trial",
            "workers busy",
        ]
    ]
    for result in results:
        by_tenth = result["driver_cpu_ms_per_rung_by_tenth"]
        rows.append(
            [
                f"{result['algorithm']}, {result['trials']:,}, {result['workers']:,}",
                result["trials_per_driver_cpu_s"],
                *(by_tenth[n] for n in (0, 4, -1)),
                result["store_mib"],
                result["peak_mib"],
                result["resident_kib_per_trial"],
                result["workers_busy_until_the_last_trial_began"],
            ]
        )
    return table(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", default="1000", help="one number or several: 1000,10000 (default: 1000)")
    parser.add_argument("--algorithm", default="asha", help="one or several: asha,hyperband,random")
    parser.add_argument("--sampler", default="random", help="of new configurations (default: random)")
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--max-epochs", type=int, default=27)
    parser.add_argument("--times", type=Path, default=REFERENCE, help="folder of a finished run")
    parser.add_argument("--lost", type=float, default=0.0, help="probability of a death in an epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=output_file)
    arguments = parser.parse_args()
    times = arguments.times / TRIALS_FILE
    if not times.is_file():
        parser.error(f"'{arguments.times}' has no {TRIALS_FILE}: name the folder of a finished run")
    results: list[dict[str, Any]] = []
    for algorithm, trials in product(arguments.algorithm.split(","), map(int, arguments.trials.split(","))):
        request = Request(
            algorithm,
            arguments.sampler,
            trials,
            arguments.workers,
            arguments.max_epochs,
            str(times),
            arguments.lost,
            arguments.seed,
        )
        # A process of its own, so that its memory is its own.
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            results.append(process.submit(simulate, request).result())
        put_out({"searches": results, "machine": describe_machine()}, arguments.json)
        print(_table(results[-1:]), file=sys.stderr, flush=True)
    print(_table(results), file=sys.stderr)


if __name__ == "__main__":
    main()
