"""`tuner dashboard`: a run in optuna-dashboard."""

from __future__ import annotations

import webbrowser
from importlib.util import find_spec
from socketserver import ThreadingMixIn
from typing import Annotated, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import typer

from tuner.cli.dashboard_access import OwnAddress
from tuner.cli.options import DEFAULT_RESULTS_DIR, ResultsDirOption, RunArgument
from tuner.cli.output import note
from tuner.cli.terminal import write
from tuner.errors import UsageError
from tuner.results.query import find_run


def dashboard(
    run: RunArgument = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 lets others in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0: any free one.")] = 8080,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Show a run as an Optuna study in optuna-dashboard, live while the search runs. Ctrl-C ends it.

    It answers under its own address only, and not to pages of other sites; it never writes to the run.
    """
    view = find_run(run, results_dir, note)
    if find_spec("optuna_dashboard") is None:
        raise UsageError(
            "the dashboard is optuna-dashboard, which is not installed. "
            "Install it with: pip install 'kt-search[dashboard]'"
        )
    from tuner.analysis.live_study import STUDY_PATH, LiveStudy

    study = LiveStudy(view.path, note)
    with _server(host, port) as server:
        server.set_app(OwnAddress(study, host, server.server_port))
        url = f"http://{host}:{server.server_port}{STUDY_PATH}"
        write(f"{url}\n")
        if open_browser:
            webbrowser.open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return  # how it is meant to end


class _Server(ThreadingMixIn, WSGIServer):
    """A browser asks for several things at once, and keeps connections that it does not use."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: stderr is for what goes wrong."""


def _server(host: str, port: int) -> _Server:
    try:
        return _Server((host, port), _Handler)
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}:{port}: {error.strerror}. "
            "Choose another --port, 0 for any free one, or another --host."
        ) from None
