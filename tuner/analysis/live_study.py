"""A run in optuna-dashboard: the study of the run as it stands at each look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from optuna.storages import InMemoryStorage
from optuna_dashboard import wsgi

from tuner.analysis.optuna_study import make_study
from tuner.errors import TunerError
from tuner.results.query import open_run
from tuner.results.schema import BEST, EVALUATION_FILE, STORE_FILE
from tuner.results.timeline import timed_epochs

EVERY_S = 1.0
"""A run is looked at this often at most."""
STUDY_PATH = "/dashboard/studies/0"
"""Where the study is below the address of the server: it is the first of its storage."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class LiveStudy:
    """A WSGI application that shows a run, which it only reads.

    Whatever changes, the study is made anew: trials that ended may go on, which no storage of Optuna allows.
    So notes and deletions in the dashboard last until the run changes.

    Args:
        warn: Told once of each reason why the run cannot be read; the last study is shown meanwhile.

    Raises:
        TunerError: the run cannot be read at the start.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self._path, self._warn = path, warn
        self._lock = threading.Lock()
        self._stamps = self._files()
        self._application = self._show()
        self._due = time.monotonic() + EVERY_S

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with self._lock:
            if time.monotonic() >= self._due:
                self._refresh()
                self._due = time.monotonic() + EVERY_S
            application = self._application
        return application(environ, start_response)

    def _refresh(self) -> None:
        stamps = self._files()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        try:
            self._application = self._show()
        except TunerError as error:
            self._warn(str(error))

    def _show(self) -> Application:
        run = open_run(self._path)
        storage = InMemoryStorage()
        make_study(
            run,
            timed_epochs(self._path, run.facts["objective"]),
            run.evaluation,
            storage,
        )
        application: Application = wsgi(storage)
        return application

    def _files(self) -> list[tuple[int, int] | None]:
        """Size and time of all that a study is made from; SQLite writes beside the store first."""
        names = (STORE_FILE, f"{STORE_FILE}-wal", f"{BEST}/{EVALUATION_FILE}")
        return [_stamp(self._path / name) for name in names]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
