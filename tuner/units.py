"""Times, sizes and counts as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Only a number that stands alone needs no unit: of "1h30" people think minutes, and a parser seconds.
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?"
)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?)b?)?", re.IGNORECASE)


def seconds(value: object) -> object:
    """Turn "2h", "1h30m", "45s" or a number into seconds."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError("write a time such as 90s, 45m, 2h or 1h30m")
    return sum(
        float(n) * unit for n, unit in zip(match.groups(default="0"), (86400, 3600, 60, 1), strict=True)
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an s: "1 trial", "1,000 trials"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int = 9, separator: str = ", ") -> str:
    """Return all names where they are `most` or fewer; else the first three and the number of the others."""
    if len(names) <= most:
        return separator.join(names)
    return f"{separator.join(names[:3])} and {len(names) - 3:,} more"


def mebibytes(value: object) -> object:
    """Turn "4GiB", "4g", "500MB" or a number of MiB into MiB."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("write a size such as 4GiB, 500MB or 2048 (MiB)")
    number, unit, binary = match.groups()
    if unit is None:
        return float(number)
    # "4g" is what people write for GiB; only "4GB" spelt out is decimal.
    base = 1000 if value.strip().lower().endswith("b") and not binary else 1024
    return float(number) * base ** ("kmgt".index(unit.lower()) + 1) / 2**20
