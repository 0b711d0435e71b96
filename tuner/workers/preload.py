"""Imports of the fork server before its first fork."""

from __future__ import annotations

import contextlib
import os

from tuner.workers.signals import leave_to_driver

# The driver handles signals, and its streams must close when it ends.
leave_to_driver()
_null = os.open(os.devnull, os.O_WRONLY)
os.dup2(_null, 1)
os.dup2(_null, 2)
os.close(_null)

# If the backend cannot be loaded, a worker reports it in its log.
with contextlib.suppress(Exception):
    from tuner.training.device import load_backend

    load_backend()

    import tuner.workers.serve  # noqa: F401
