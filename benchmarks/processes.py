"""Child processes that a benchmark looks at while they run, and that never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tuner.cache_folder import ENVIRONMENT as CACHE_VARIABLE
from tuner.state_folder import ENVIRONMENT as STATE_VARIABLE

ROOT = Path(__file__).parents[1]
_TERMINATED = 143


def forget_settings(cache: Path) -> None:
    """Drop the variables that change a search, and give this process a cache and a key of its own."""
    for name in [name for name in os.environ if name.startswith("TUNER_")]:
        del os.environ[name]
    os.environ |= _folders(cache)


def environment(cache: Path) -> dict[str, str]:
    """The variables of a child: an empty cache of its own, this repository, no notes of TensorFlow."""
    return {
        **_folders(cache),
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
    }


def _folders(cache: Path) -> dict[str, str]:
    return {CACHE_VARIABLE: str(cache), STATE_VARIABLE: str(cache.with_name(f"{cache.name}-state"))}


def heed_termination() -> None:
    """Let SIGTERM end this process by an exception, so that its children are ended too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))


@contextmanager
def running(
    command: Sequence[str], variables: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command beside this process, its output in `log`; with the block it and its children end."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **variables})
    try:
        yield process
    finally:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(process.pid)
            for member in (*parent.children(recursive=True), parent):
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        process.wait()
