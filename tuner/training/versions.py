"""The versions of packages that affect the result of a training."""

from __future__ import annotations

import contextlib
from importlib.metadata import PackageNotFoundError, version

from tuner import __version__

PACKAGES = ("keras", "keras-tuner", "tensorflow", "jax", "torch", "numpy")


def installed_versions() -> dict[str, str]:
    """Return the versions of this program and of its installed libraries by name."""
    found = {"tuner": __version__}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def differences(theirs: dict[str, str], here: dict[str, str]) -> str:
    """Return the differences of other versions from those here as text, empty without differences."""
    names = differing(theirs, here)
    return ", ".join(f"{name} {theirs.get(name, 'missing')} instead of {here[name]}" for name in names)


def differing(theirs: dict[str, str], here: dict[str, str]) -> list[str]:
    """Return the names of packages here that others lack or have in another version."""
    return [name for name in here if theirs.get(name) != here[name]]
