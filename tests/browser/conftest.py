"""A real browser, where there is one: Chromium, driven by Playwright. Nothing is fetched for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import chromium_path, launch
from tests.report.reported import measure_robustness, multiply, reported_run
from tuner.report import contents as report_contents
from tuner.report.contents import read_contents
from tuner.report.page import write_report

WIDE, NARROW = (1280, 900), (390, 844)
SHORTCUTS = [
    {"feature": "file size", "class_name": "FAKE", "auroc": 0.93, "warn_from": 0.75, "of": "files"},
    {"feature": "mean brightness", "class_name": "FAKE", "auroc": 0.81, "warn_from": 0.75, "of": "images"},
    {"feature": "width", "class_name": "FAKE", "auroc": 0.5, "warn_from": 0.75, "of": "files"},
]
Open = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium on this machine; name one in CHROMIUM")
    with playwright.sync_playwright() as started:
        browser = launch(started, path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of 30 trials, one of them failed; there is too little for shares of importance."""
    return _report(tmp_path_factory.mktemp("run") / "r", 1)


@pytest.fixture(scope="session")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run of 500 trials."""
    return _report(tmp_path_factory.mktemp("run") / "large", 17)


def _report(folder: Path, times: int) -> Path:
    run = multiply(reported_run(folder, 29, 1, shortcuts=SHORTCUTS), times)
    measure_robustness(run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_contents, "importance", lambda _: None)
        contents = read_contents(run)
    path = folder / "report.html"
    write_report(contents, path)
    return path


@pytest.fixture
def show(chromium: Any) -> Iterator[Open]:
    """Open pages; at the end nothing stands in their consoles, and no network was asked for anything."""
    contexts, heard = [], []

    def note_dialog(dialog: Any) -> None:
        heard.append(dialog.message)
        dialog.dismiss()

    def show_page(path: Path, size: tuple[int, int] = WIDE, **options: Any) -> Any:
        width, height = size
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", note_dialog)
        page.on("request", lambda request: _note_request(request.url, heard))
        page.goto(path.as_uri())
        page.wait_for_selector(".slice:last-child svg")
        return page

    yield show_page
    for context in contexts:
        context.close()
    assert heard == []


def _note_request(address: str, heard: list[str]) -> None:
    if not address.startswith(("file:", "data:")):
        heard.append(address)
