"""How several workers share one machine."""

import os
import subprocess
import sys

import pytest

from tuner.training.device import num_cores, quiet_import, share_of_machine

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "NPROC")


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in (*THREADS, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def test_a_single_worker_has_the_whole_machine():
    assert share_of_machine(0, 1) == {}


@pytest.mark.parametrize("workers", [2, 1000])
def test_threads_are_divided_and_none_is_left_without(monkeypatch, workers):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    threads = str(max(1, num_cores() // workers))
    assert share_of_machine(1, workers) == dict.fromkeys(THREADS, threads)


def test_threads_that_the_user_has_set_stay(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert "OMP_NUM_THREADS" not in share_of_machine(0, 2)


def test_each_worker_has_a_gpu_of_its_own_as_far_as_they_go(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    found = [share_of_machine(number, 3)["CUDA_VISIBLE_DEVICES"] for number in range(3)]
    assert found == ["3", "7", "3"]


def test_what_jax_compiles_is_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "environ", {"TUNER_CACHE_DIR": str(tmp_path)})
    with quiet_import():
        pass
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "jax")


def test_a_cache_of_jax_that_the_user_has_named_stays(monkeypatch):
    monkeypatch.setattr(os, "environ", {"JAX_COMPILATION_CACHE_DIR": "mine"})
    with quiet_import():
        pass
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "mine"


@pytest.mark.process
def test_the_backend_comes_without_libraries_that_it_only_looks_for():
    """They are a third of the time; a space that wants one of them gets it."""
    code = (
        "import sys\n"
        "from tuner.training.device import load_backend\n"
        "load_backend()\n"
        "assert 'keras' in sys.modules\n"
        "print(sorted({'sklearn', 'pandas', 'matplotlib'} & sys.modules.keys()))\n"
        "import sklearn.metrics\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
