"""Pretrained weights that a search starts from, as the user names them."""

from __future__ import annotations

from hashlib import blake2b, file_digest
from pathlib import Path

from tuner.errors import UsageError
from tuner.home_folder import expanded

WEIGHTS = "weights"
"""The hyperparameter of a space that has pretrained weights."""
NO_WEIGHTS = "none"
_BY_NAME = ("imagenet", NO_WEIGHTS)


def weights_value(weights: str) -> str:
    """Return the value for a worker: a name, or the absolute path of a file.

    Raises:
        UsageError: there is no such file.
    """
    if weights in _BY_NAME:
        return weights
    path = Path(expanded(weights)).resolve()
    if not path.is_file():
        raise UsageError(
            f"--weights '{weights}': no such file. Allowed: {', '.join(_BY_NAME)}, or the path of a Keras "
            "weights file."
        )
    return str(path)


def weights_hash(value: str) -> str:
    """Return the name of weights, or a hash of the content of their file."""
    if value in _BY_NAME or not Path(value).is_file():
        return value
    with Path(value).open("rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
