"""The key of a user lies in a private folder, and is made once."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from tuner.state_folder import ENVIRONMENT, KEY_FILE, make_secret_key, secret_key


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "deep" / "state"))
    return tmp_path / "deep" / "state"


def test_a_key_is_private_and_stays_the_same(folder):
    assert secret_key() is None
    key = make_secret_key()
    assert make_secret_key() == secret_key() == key
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600


@pytest.mark.usefixtures("folder")
def test_commands_that_start_together_make_one_key():
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: make_secret_key(), range(32)))
    assert keys == {secret_key()}
    assert None not in keys


def test_a_damaged_key_is_none(folder):
    folder.mkdir(parents=True)
    (folder / KEY_FILE).write_bytes(b"half")
    assert make_secret_key() is None


def test_without_a_home_folder_there_is_no_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ENVIRONMENT, "~nobody-of-this-name/state")
    assert make_secret_key() is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_none(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "file" / "state"))
    assert make_secret_key() is None
