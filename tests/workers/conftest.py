"""Loading the backend takes seconds, so most tests of a module share one pool of one worker."""

import pytest

from tests.workers.pools import setup_for
from tuner.workers.local import LocalPool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def log(folder):
    return folder / "worker.log"


@pytest.fixture(scope="module")
def pool(folder, log, dataset):
    with LocalPool(setup_for(folder, dataset), log) as pool:
        yield pool
