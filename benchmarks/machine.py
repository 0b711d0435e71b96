"""What a benchmark ran on, and what a child process of it used."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

PACKAGES = ("keras", "tensorflow", "numpy", "pillow")
MIB = 2**20
_SAMPLE_S = 0.2


def describe_machine() -> dict[str, str | int | float | None]:
    """Return the processor, the cores this process may use, memory in GiB and versions; imports no package.

    A package that is not installed has the version None.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": _processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
    }


@dataclass(frozen=True)
class Usage:
    """What one process and all its children used."""

    returncode: int
    wall_s: float
    cpu_s: float
    """User and system time."""
    peak_mib: float
    """Highest sum of proportional set sizes, where the system knows them, else of resident set sizes.

    Sampled, so a peak that lasts less than the sampling interval may be missed.
    """
    stdout: str

    def answer(self) -> dict[str, float]:
        """Return the JSON object on the last line of stdout.

        Raises:
            RuntimeError: the process failed.
        """
        if self.returncode != 0:
            raise RuntimeError(
                f"a measured process ended with status {self.returncode}; see its output above"
            )
        values: dict[str, float] = json.loads(self.stdout.splitlines()[-1])
        return values


def run_measured(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end; stderr passes through. `environment` is laid over that of this process.

    The process is killed when waiting for it is interrupted.
    """
    start, before = time.perf_counter(), _children_cpu_s()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    peak, ended = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended), daemon=True)
    watcher.start()
    try:
        stdout, _ = process.communicate()
    except BaseException:
        _kill_tree(process.pid)
        raise
    finally:
        ended.set()
        watcher.join()
    wall_s = time.perf_counter() - start
    return Usage(process.returncode, wall_s, _children_cpu_s() - before, peak[0], stdout)


def tree_mib(pid: int) -> float:
    """Return the memory of a process and all its children in MiB; 0 when it has ended."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                full = member.memory_full_info()
                total += getattr(full, "pss", full.rss)  # pages that members share count once
    return total / MIB


def _watch(pid: int, peak: list[float], ended: threading.Event) -> None:
    while not ended.wait(_SAMPLE_S):
        peak[0] = max(peak[0], tree_mib(pid))


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _kill_tree(pid: int) -> None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in (*process.children(recursive=True), process):
            with suppress(psutil.Error):
                member.kill()


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
