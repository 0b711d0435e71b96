"""Where Chromium is on this machine, and how to start it."""

import os
import shutil
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium_path() -> str | None:
    """Return the program in CHROMIUM or on the path, None where there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def launch(playwright: Any, path: str) -> Any:
    """Start it without a window."""
    # As root, as in a container, Chromium starts only without its sandbox; the pages are our own.
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return playwright.chromium.launch(executable_path=path, args=options)
