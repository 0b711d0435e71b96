"""The versions on which the outcome of a training depends."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, version

from tuner import __version__

PACKAGES = ("keras", "keras-tuner", "tensorflow", "jax", "torch", "numpy")


def installed_versions() -> dict[str, str]:
    """Return the versions of this program and of the libraries that are installed, by name."""
    found = {"tuner": __version__}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def differing(theirs: dict[str, str], here: dict[str, str]) -> list[str]:
    """Return the names of what is installed here that others lack, or have in another version."""
    return [name for name in here if theirs.get(name) != here[name]]
