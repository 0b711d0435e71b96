"""`tuner dashboard`, asked over HTTP as a browser would."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.cli.conftest import Run, command
from tests.evaluation.finished import unfinished_run
from tests.evaluation.test_optuna_study import facts
from tests.results.records import epoch, record
from tuner.results.schema import COMPLETED, STORE_FILE
from tuner.results.store import Store

needs_dashboard = pytest.mark.skipif(
    find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed"
)
MAX_WAIT_S = 60.0


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return unfinished_run(tmp_path / "results" / "first", (0.5, 0.75), **facts(algorithm="random")).path


@contextmanager
def dashboard(run: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address that it printed."""
    with subprocess.Popen(
        command("dashboard", run, "--port", 0),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def study(address: str) -> Any:
    with urlopen(address.replace("/dashboard/", "/api/"), timeout=MAX_WAIT_S) as answer:
        return json.load(answer)


@needs_dashboard
def test_it_serves_the_run_at_the_address_that_it_prints(run: Path) -> None:
    with dashboard(run) as (_, address):
        assert address.startswith("http://127.0.0.1:")
        found = study(address)
        assert found["name"] == "first"
        assert [trial["values"] for trial in found["trials"]] == [[0.5], [0.75]]
        with urlopen(address, timeout=MAX_WAIT_S) as page:
            assert "Optuna Dashboard" in page.read().decode()


@needs_dashboard
def test_a_trial_that_is_added_appears(run: Path) -> None:
    with dashboard(run) as (_, address):
        assert len(study(address)["trials"]) == 2
        store = Store(run / STORE_FILE)
        store.start_rung(record("0003"))
        epoch(store, "0003", 0, 1, {"val_accuracy": 0.875}, 0.875)
        store.finish_rung("0003", 0, COMPLETED, 10, 0.0)
        deadline = time.monotonic() + MAX_WAIT_S
        while len(found := study(address)["trials"]) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert found[2]["values"] == [0.875]
        store.close()


@needs_dashboard
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_being_stopped_is_how_it_ends_well(run: Path, number: signal.Signals) -> None:
    with dashboard(run) as (process, address):
        study(address)
        process.send_signal(number)
        out, err = process.communicate(timeout=MAX_WAIT_S)
    assert (process.returncode, out, err) == (0, "", "")


@needs_dashboard
def test_a_port_that_is_taken_is_said_in_one_line(tuner: Run, run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = tuner("dashboard", run, "--port", port)
    assert result.code == 2
    assert len(result.error_lines) == 1
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in result.stderr


def test_what_to_install_is_said_where_the_dashboard_is_missing(
    tuner: Run, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.cli.dashboard.find_spec", lambda _: None)
    result = tuner("dashboard", run)
    assert result.code == 2
    assert result.stdout == ""
    assert "pip install 'kt-search[dashboard]'" in result.error_lines[0]


def test_the_study_is_made_without_loading_keras() -> None:
    code = (
        "import sys\nimport tuner.evaluation.optuna_study\n"
        "assert not {'tensorflow', 'keras', 'keras_tuner'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
