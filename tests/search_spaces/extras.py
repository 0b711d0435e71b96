"""Which built-in spaces can be built here; some need an extra."""

import importlib.util

import pytest

from tuner.spaces.references import builtin_names

NEEDS_HUB = pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="needs the extra 'hub' (KerasHub)"
)
EXTRAS = {"vit_b16": NEEDS_HUB}
BUILDABLE = [pytest.param(name, marks=EXTRAS.get(name, ())) for name in builtin_names()]
