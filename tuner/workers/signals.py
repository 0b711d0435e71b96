"""Signals that ask a search to save its state and end."""

from __future__ import annotations

import signal

STOPPING = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
"""All of them that this system has; Windows has two."""


def leave_to_driver() -> None:
    """Ignore, in a worker, the signals that a terminal or a job sends to all its processes.

    SIGTERM ends a worker: the driver stops it so.
    """
    for number in STOPPING:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
