"""The signals that make a search save its state and end. Workers ignore them; cli/main.py acts on them.

The loop of tuner/tuning/driver.py then stops its trials, and session.py records the run as interrupted.
"""

from __future__ import annotations

import signal

STOPPING = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
"""All of them on this system; Windows has two."""


def leave_to_driver() -> None:
    """Ignore, in a worker, the signals that a terminal or a job sends to all its processes.

    SIGTERM still ends a worker, since the driver stops it with this signal.
    """
    for number in STOPPING:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
