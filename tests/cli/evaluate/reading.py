"""What evaluations hold, and models made by hand."""

import json
from typing import Any

from tests.cli.conftest import SIDE, Result


def as_json(result: Result) -> Any:
    """What a command printed."""
    assert result.code == 0, result.stderr
    return json.loads(result.stdout)


def save(path, shape=(SIDE, SIDE, 3), outputs=1, **options):
    """A model that was made by hand."""
    import keras

    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs, **options)]
    keras.Sequential(layers).save(path)
    return path
