"""The user's state folder, and the secret key in it by which this user's runs are known."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs
from filelock import FileLock

from tuner.errors import UsageError
from tuner.home_folder import expanded_path, has_home

ENVIRONMENT = "TUNER_STATE_DIR"
KEY_FILE = "key"
KEY_BYTES = 32


def state_folder() -> Path | None:
    """Return $TUNER_STATE_DIR, else the user's state folder; None where they lie in no home folder."""
    if chosen := os.environ.get(ENVIRONMENT):
        with suppress(UsageError):
            return expanded_path(chosen).absolute()
        return None
    return Path(platformdirs.user_state_dir("kt-search", appauthor=False)) if has_home() else None


def secret_key() -> bytes | None:
    """Return this user's key; None where there is none."""
    folder = state_folder()
    try:
        key = (folder / KEY_FILE).read_bytes() if folder else b""
    except OSError:
        return None
    return key if len(key) == KEY_BYTES else None


def make_secret_key() -> bytes | None:
    """Return this user's key, which is made where there is none; None where none can be kept."""
    folder = state_folder()
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Several searches may be the first.
        with FileLock(folder / f"{KEY_FILE}.lock"):
            if not (folder / KEY_FILE).exists():
                with tempfile.NamedTemporaryFile(dir=folder, delete=False) as draft:  # for the user alone
                    draft.write(secrets.token_bytes(KEY_BYTES))
                Path(draft.name).replace(folder / KEY_FILE)
    except (OSError, NotImplementedError):  # of a lock, where the file system has none
        return None
    return secret_key()
