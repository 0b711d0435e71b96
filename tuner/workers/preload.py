"""Imported by the server that workers are forked from, before it forks any."""

from __future__ import annotations

import contextlib
import os

from tuner.workers.signals import leave_to_driver

# The driver decides what a signal means, and its streams are not to stay open for longer than it lives.
leave_to_driver()
_null = os.open(os.devnull, os.O_WRONLY)
os.dup2(_null, 1)
os.dup2(_null, 2)
os.close(_null)

# Where the backend cannot be loaded, a worker says so in its log.
with contextlib.suppress(Exception):
    from tuner.training.device import load_backend

    load_backend()

    import tuner.workers.serve  # noqa: F401
