"""Seconds until a browser has drawn the report of a large run.

    python -m benchmarks.report_load --trials 500 --loads 10

The run is made up, with all that a page can show; no model is trained. The page is opened in headless
Chromium, each time in a new profile, until its last plot is there and two more frames are drawn. Needs
playwright and Chromium, which the variable CHROMIUM may name. Prints a table, and JSON to stdout or to
--json FILE.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.output import output_file, put_out, table
from tests.browser.chromium import chromium_path, launch
from tests.report.reported import average, measure_robustness, reported_run, retrain
from tuner.report.contents import read_contents
from tuner.report.page import write_report
from tuner.results.query import open_run

FAILED_SHARE = 0.02
LAST_PLOT = ".slice:last-child svg"
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
SIZE = {"width": 1280, "height": 900}


def browser_path() -> str:
    """Return where Chromium is.

    Raises:
        SystemExit: it is not there, or what drives it is not.
    """
    if not find_spec("playwright"):
        raise SystemExit("error: playwright is not installed. Needed: the extra dev. Install it first.")
    path = chromium_path()
    if path is None:
        raise SystemExit(
            "error: no Chromium on this machine. Needed: chromium or google-chrome. "
            "Install one, or name it in CHROMIUM."
        )
    return path


def write_page(folder: Path, trials: int) -> tuple[Path, float]:
    """Make up a run and write its report; return the page, and the seconds that writing it took."""
    failed = round(FAILED_SHARE * trials)
    run = reported_run(folder / "large", trials - failed, failed)
    measure_robustness(run)
    retrain(run)
    average(run, 2)
    path, start = folder / "report.html", time.perf_counter()
    write_report(read_contents(open_run(run.path)), path)
    return path, time.perf_counter() - start


def load(browser: Any, page: Path) -> float:
    """Open a page as somebody who has never seen it; return the seconds until all is drawn."""
    context = browser.new_context(viewport=SIZE)
    try:
        tab, start = context.new_page(), time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_selector(LAST_PLOT)
        tab.evaluate(TWO_FRAMES)
        return time.perf_counter() - start
    finally:
        context.close()


def measure(trials: int, loads: int) -> dict[str, Any]:
    """Write a page, load it again and again; return the figures."""
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        page, report_s = write_page(Path(folder), trials)
        browser = launch(started, path)
        try:
            # The first finds the browser cold, and is on record but not in the median.
            first_s, *loads_s = (load(browser, page) for _ in range(loads + 1))
            version = browser.version
        finally:
            browser.close()
        page_kib = page.stat().st_size / 2**10
    return {
        "trials": trials,
        "page_kib": page_kib,
        "report_s": report_s,
        "first_load_s": first_s,
        "loads_s": loads_s,
        "median_load_s": statistics.median(loads_s),
        "chromium": version,
        "machine": describe_machine(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--loads", type=int, default=10, help="timed, after one to warm up")
    parser.add_argument("--json", type=output_file, help="write the result here instead of to stdout")
    arguments = parser.parse_args()
    result = measure(arguments.trials, max(1, arguments.loads))
    rows = [
        ("trials", result["trials"]),
        ("page, KiB", result["page_kib"]),
        ("making it, s", result["report_s"]),
        ("first load, s", result["first_load_s"]),
        (f"median of {len(result['loads_s'])} loads, s", result["median_load_s"]),
        ("slowest, s", max(result["loads_s"])),
    ]
    print(table(rows), file=sys.stderr)
    put_out(result, arguments.json)


if __name__ == "__main__":
    main()
