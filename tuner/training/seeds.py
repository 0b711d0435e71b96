"""Independent seeds for named purposes, derived from one; that of a trial in tuner/tuning/tasks.py."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: int | str) -> int:
    """Return a seed in 0..2**31-1 that depends on all parts and on their order."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
