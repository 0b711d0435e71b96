"""A store of a new run, and where it lies."""

import pytest

from tests.results.records import FACTS
from tuner.results.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.sqlite"


@pytest.fixture
def store(path):
    store = Store.create(path, FACTS)
    yield store
    store.close()
