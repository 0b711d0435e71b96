"""Pretrained weights that a search starts from, as the user names them."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from tuner.errors import UsageError

WEIGHTS = "weights"
"""The hyperparameter of a space that has pretrained weights."""
_BY_NAME = ("imagenet", "none")


def weights_value(weights: str) -> str:
    """Return the value as workers understand it: a name, or the absolute path of a file.

    Raises:
        UsageError: there is no such file.
    """
    if weights in _BY_NAME:
        return weights
    path = Path(weights).expanduser().resolve()
    if not path.is_file():
        raise UsageError(
            f"--weights '{weights}': no such file. Allowed: {', '.join(_BY_NAME)}, or the path of a Keras "
            "weights file."
        )
    return str(path)


def weights_hash(value: str) -> str:
    """Return what tells two weights apart: the name, or a hash of the file's content."""
    if value in _BY_NAME or not Path(value).is_file():
        return value
    with Path(value).open("rb") as file:
        hasher = blake2b(digest_size=16)
        while block := file.read(2**20):
            hasher.update(block)
    return hasher.hexdigest()
