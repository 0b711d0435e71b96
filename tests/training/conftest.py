"""Training many small models in one process."""

import pytest

from tuner.training.device import load_backend


@pytest.fixture(scope="session", autouse=True)
def libraries_are_loaded_as_by_a_worker():
    """Keras collects garbage before each model; `load_backend` lets it not look through the libraries."""
    load_backend()
