"""Loading the backend takes seconds, so most tests of a module share one pool of one worker."""

import pytest

from tests.pools import InlinePool
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


@pytest.fixture(scope="module")
def inline(folder, log, dataset):
    """What a worker answers does not depend on the process that it is in: this one is in the test's own."""
    with InlinePool(setup_for(folder, dataset), log) as inline:
        yield inline
