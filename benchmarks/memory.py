"""Memory of driver and worker over a long search of tiny models.

    python -m benchmarks.memory --trials 300

Prints trials finished, resident memory of the driver and of its worker in MiB, and the worker's process id.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path

import psutil

from tests.faults.killing import Arena, children

EVERY = 10


def finished_trials(store: Path) -> int:
    """Trials of a run that have completed."""
    if not store.exists():
        return 0
    connection = sqlite3.connect(store)
    try:
        return int(connection.execute("SELECT count(*) FROM trials WHERE status = 'COMPLETED'").fetchone()[0])
    except sqlite3.OperationalError:  # being made
        return 0
    finally:
        connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder))
        request = ("--space", "space.py", "--data", "two.npz", "--algorithm", "random", "--max-epochs", 1)
        process = arena.start(
            arena.command("search", *request, "--max-trials", arguments.trials, "--name", "long")
        )
        driver, shown = psutil.Process(process.pid), -1
        print(f"{'trials':>6}{'driver':>9}{'worker':>9}{'sum':>9}  worker's id", flush=True)
        while process.poll() is None:
            trials = finished_trials(arena.run_path("long") / "run.sqlite")
            if trials // EVERY != shown // EVERY:
                shown = trials
                mib = driver.memory_info().rss / 2**20
                for worker in children(process):
                    of_worker = worker.memory_info().rss / 2**20
                    print(
                        f"{trials:>6}{mib:>9.0f}{of_worker:>9.0f}{mib + of_worker:>9.0f}  {worker.pid}",
                        flush=True,
                    )
            time.sleep(0.2)
        if process.returncode != 0:
            raise SystemExit((arena.folder / "driver.log").read_text("utf-8")[-2000:])


if __name__ == "__main__":
    main()
