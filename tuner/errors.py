"""Errors a user can cause, each with the exit code of the process that meets it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class TunerError(Exception):
    """Work was started and failed. The message is one line: what is wrong, what is allowed, what to do."""

    exit_code = 1


class UsageError(TunerError):
    """The request makes no sense; nothing was started."""

    exit_code = 2


class DataError(UsageError):
    """The data set cannot be used as it is."""


class SpaceError(UsageError):
    """The search space cannot be found, loaded or built."""


class StorageError(TunerError):
    """A file of a run cannot be written or read: no trial is to blame, none can go on before that."""


class UnknownVersionError(StorageError):
    """Another version of this program made the file; nothing is wrong with it."""


class InterruptedRunError(TunerError):
    """The user or the system asked the run to stop; its state is saved."""

    exit_code = 130


def one_line(error: Exception) -> str:
    """What an exception says, on one line; its name where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return " Did you mean 'NAME'?" with the nearest known name, in any case; "" where none is near.

    Args:
        cutoff: Least similarity, 0..1, as in difflib.
    """
    by_lower_case = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=cutoff)
    return f" Did you mean '{by_lower_case[near[0]]}'?" if near else ""
