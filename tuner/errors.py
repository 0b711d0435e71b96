"""Errors a user can cause, each with the exit code of the process that meets it."""

from __future__ import annotations


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


class InterruptedRunError(TunerError):
    """The user or the system asked the run to stop; its state is saved."""

    exit_code = 130


def one_line(error: Exception) -> str:
    """What an exception says, on one line; its name where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
