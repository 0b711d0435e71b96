"""`tuner dashboard`, asked over HTTP as a browser would."""

import _thread
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.analysis.finished_runs import unfinished_run
from tests.analysis.test_optuna_study import facts
from tests.cli.conftest import Result, Run, command
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


Look = Callable[[str], None]
Show = Callable[[Look], Result]


@pytest.fixture
def show(tuner: Run, run: Path, monkeypatch: pytest.MonkeyPatch) -> Show:
    """Open the dashboard, let somebody look at its address meanwhile, and interrupt it."""

    def shown(look: Look) -> Result:
        seen: list[BaseException | None] = []

        def visit(address: str) -> None:
            try:
                look(address)
            except BaseException as error:
                seen.append(error)
            else:
                seen.append(None)
            finally:
                _thread.interrupt_main()

        monkeypatch.setattr("webbrowser.open", lambda url: Thread(target=visit, args=(url,)).start())
        result = tuner("dashboard", run, "--port", 0, "--open")
        (error,) = seen
        if error is not None:
            raise error
        return result

    return shown


def study(address: str) -> Any:
    with urlopen(address.replace("/dashboard/", "/api/"), timeout=MAX_WAIT_S) as answer:
        return json.load(answer)


@needs_dashboard
def test_it_serves_the_run_at_the_address_that_it_prints_and_opens(show: Show) -> None:
    opened = []

    def look(address: str) -> None:
        opened.append(address)
        found = study(address)
        assert found["name"] == "first"
        assert [trial["values"] for trial in found["trials"]] == [[0.5], [0.75]]
        with urlopen(address, timeout=MAX_WAIT_S) as page:
            assert "Optuna Dashboard" in page.read().decode()

    result = show(look)
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.split() == opened
    assert opened[0].startswith("http://127.0.0.1:")


@needs_dashboard
def test_under_a_foreign_name_it_does_not_answer(show: Show) -> None:
    def look(address: str) -> None:
        with pytest.raises(HTTPError, match="403"):
            urlopen(Request(address, headers={"Host": "rebound.example"}), timeout=MAX_WAIT_S)

    assert show(look).code == 0


@needs_dashboard
def test_a_trial_that_is_added_appears(show: Show, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.analysis.live_study.EVERY_S", 0.0)

    def look(address: str) -> None:
        assert len(study(address)["trials"]) == 2
        store = Store(run / STORE_FILE)
        store.start_rung(record("0003"))
        epoch(store, "0003", 0, 1, {"val_accuracy": 0.875}, 0.875)
        store.finish_rung("0003", 0, COMPLETED, 10, 0.0)
        _, _, added = study(address)["trials"]
        assert added["values"] == [0.875]
        store.close()

    assert show(look).code == 0


@needs_dashboard
@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_being_stopped_is_how_it_ends_well(run: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        command("dashboard", run, "--port", 0),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert study(process.stdout.readline().strip())["name"] == "first"
            process.send_signal(number)
            out, err = process.communicate(timeout=MAX_WAIT_S)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")


@needs_dashboard
def test_a_port_that_is_taken_is_said_in_one_line(tuner: Run, run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = tuner("dashboard", run, "--port", port)
    assert result.code == 2
    assert len(result.error_lines) == 1
    for part in (f"127.0.0.1:{port}", "already in use"):
        assert part in result.stderr


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
        "import sys\nimport tuner.analysis.optuna_study\n"
        "assert not {'tensorflow', 'keras', 'keras_tuner'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
