"""Who gets an answer of the dashboard: real requests to its server, as pages of any site send them."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

import pytest

from tests.analysis.finished_runs import unfinished_run
from tests.analysis.test_optuna_study import facts
from tuner.cli.dashboard import _server
from tuner.cli.dashboard_access import OwnAddress
from tuner.results.query import open_run

pytestmark = pytest.mark.skipif(
    find_spec("optuna_dashboard") is None, reason="optuna-dashboard is not installed"
)
LOOPBACK = "127.0.0.1"
STUDIES = "/api/studies"
MAX_WAIT_S = 60.0


@contextmanager
def served(run: Path, host: str) -> Iterator[int]:
    """The dashboard of a run in a thread; gives its port."""
    from tuner.analysis.live_study import LiveStudy

    with _server(host, 0) as server:
        server.set_app(OwnAddress(LiveStudy(run, print), host, server.server_port))
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return unfinished_run(tmp_path / "results" / "first", **facts(algorithm="random")).path


@pytest.fixture
def port(run: Path) -> Iterator[int]:
    with served(run, LOOPBACK) as number:
        yield number


def status(port: int, method: str = "GET", path: str = STUDIES, **headers: str) -> int:
    """The status of an answer; {port} in a header is that of the server, `_` in its name a dash."""
    given = {name.replace("_", "-"): value.format(port=port) for name, value in headers.items()}
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=MAX_WAIT_S)) as connection:
        connection.putrequest(method, path, skip_host="Host" in given)
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_it_answers_under_its_own_names(port: int, name: str) -> None:
    assert status(port, Host=f"{name}:{{port}}") == 200


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example:{port}",
        "127.0.0.1.example:{port}",
        "192.0.2.7:{port}",
        "localhost",
        "localhost:1",
        "localhost:{port}@rebound.example",
        "",
    ],
)
@pytest.mark.parametrize("path", [STUDIES, "/dashboard/studies/0"])
def test_under_another_name_or_port_it_does_not_answer(port: int, host: str, path: str) -> None:
    assert status(port, path=path, Host=host) == 403


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://other.example"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_pages_of_other_sites_are_refused(port: int, method: str, headers: dict[str, str]) -> None:
    assert status(port, method, f"{STUDIES}/0", **headers) == 403


@pytest.mark.parametrize(("method", "answer"), [("GET", 200), ("POST", 403)])
def test_a_link_from_elsewhere_leads_to_it_and_a_form_does_not(port: int, method: str, answer: int) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert status(port, method, **link) == answer


def test_what_its_own_page_deletes_is_still_in_the_run(run: Path, port: int) -> None:
    before = open_run(run)
    own = {"Origin": "http://127.0.0.1:{port}", "Sec_Fetch_Site": "same-origin"}
    assert status(port, "DELETE", f"{STUDIES}/0", **own) == 204
    assert open_run(run) == before


@pytest.mark.parametrize(
    ("name", "answer"),
    [(socket.gethostname(), 200), ("192.0.2.7", 200), ("[2001:db8::7]", 200), ("rebound.example", 403)],
    ids=["own name", "IPv4", "IPv6", "another name"],
)
def test_at_all_addresses_it_answers_under_each_and_under_no_foreign_name(
    run: Path, name: str, answer: int
) -> None:
    with served(run, "0.0.0.0") as port:
        assert status(port, Host=f"{name}:{{port}}") == answer
