"""Workers are forks of a server that has loaded the backend, where that is safe."""

import sys

import psutil
import pytest

from tests.workers.pools import events, gone, setup_for, task, worker_pid
from tuner.training.device import configured_backend
from tuner.training.task import RungDone
from tuner.workers.fork_server import start_context
from tuner.workers.local import LocalPool
from tuner.workers.protocol import Lost


@pytest.fixture(autouse=True)
def fresh_context():
    start_context.cache_clear()
    yield
    start_context.cache_clear()


def test_backends_that_may_start_threads_are_never_forked(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert start_context().get_start_method() == "spawn"


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_tensorflow_is_forked(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr("tuner.workers.fork_server.has_nvidia_gpu", lambda: False)
    assert start_context().get_start_method() == "forkserver"


def test_a_gpu_is_never_taken_through_a_fork(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr("tuner.workers.fork_server.has_nvidia_gpu", lambda: True)
    assert start_context().get_start_method() == "spawn"


def test_the_backend_is_that_of_the_variable_else_of_the_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert configured_backend() == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    assert configured_backend() == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert configured_backend() == "torch"


@pytest.mark.faults
@pytest.mark.skipif(
    configured_backend() != "tensorflow" or sys.platform != "linux", reason="nothing is forked"
)
def test_a_worker_in_place_of_a_dead_one_comes_from_the_same_server(tmp_path, dataset):
    with LocalPool(setup_for(tmp_path, dataset), tmp_path / "worker.log") as pool:
        pool.device()
        first = worker_pid()
        server = psutil.Process(first).ppid()
        psutil.Process(first).kill()
        assert isinstance(pool.next_event()[1], Lost)
        assert isinstance(events(pool, task(tmp_path))[-1], RungDone)
        assert worker_pid() != first
        assert psutil.Process(worker_pid()).ppid() == server != psutil.Process().pid
    assert gone(first)


@pytest.mark.process
def test_a_worker_has_the_variables_of_its_driver_as_they_are_when_it_starts(tmp_path, dataset, monkeypatch):
    space = (
        "import os\n\nimport keras\n\n\n"
        "def build(hp):\n"
        "    units = int(os.environ['UNITS_OF_THE_TEST'])\n"
        "    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(units),\n"
        "                              keras.layers.Dense(1, 'sigmoid')])\n"
        "    model.compile('sgd', 'binary_crossentropy', metrics=['accuracy'])\n"
        "    return model\n"
    )
    for units in (2, 3):
        monkeypatch.setenv("UNITS_OF_THE_TEST", str(units))
        with LocalPool(setup_for(tmp_path, dataset, space), tmp_path / "worker.log") as pool:
            done = events(pool, task(tmp_path, f"{units:04d}"))[-1]
        assert done.num_params == 192 * units + units + units + 1
