"""A cache folder that several users share: each works with what the others have made, or is told why not."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sources.pictures import tree, write_folder
from tuner import cache_folder
from tuner.data import cache
from tuner.data.dataset import load_dataset

GROUP, FIRST, SECOND = 54000, 54001, 54002
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as two other users")

# The user may not be allowed to read Python: all that is needed is imported first, by root.
LOAD = """
import json, os, sys, tempfile
from tuner.data.dataset import load_dataset
from tuner.errors import DataError

source, cache, user, group = *sys.argv[1:3], *map(int, sys.argv[3:])
with tempfile.TemporaryDirectory() as os.environ["TUNER_CACHE_DIR"]:
    load_dataset(source)
os.setgroups([group])
os.setgid(user)
os.setuid(user)
os.umask(0o077)
os.environ["TUNER_CACHE_DIR"] = cache
calls = []
try:
    dataset = load_dataset(source, progress=lambda *done: calls.append(done))
except DataError as error:
    print(json.dumps({"error": str(error)}))
else:
    facts = {"folder": str(dataset.cache_dir), "decoded": bool(calls), "notes": dataset.notes}
    print(json.dumps({**facts, "pixels": int(dataset.images.sum()), "error": ""}))
"""


@dataclass(frozen=True)
class Lab:
    """A folder that all users of a machine see, with images and a cache in it."""

    images: Path
    cache: Path

    def load(self, user: int, source: Path | None = None) -> dict[str, Any]:
        """What a user of the group finds who loads images, and makes files for nobody else by default."""
        arguments = map(str, (source or self.images, self.cache, user, GROUP))
        done = subprocess.run(
            [sys.executable, "-c", LOAD, *arguments], stdout=subprocess.PIPE, check=True, text=True
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def open_cache(self, mode: int) -> None:
        """Make the empty cache of the first user, with these permissions."""
        self.cache.mkdir()
        os.chown(self.cache, FIRST, GROUP)
        self.cache.chmod(mode)


@pytest.fixture
def lab() -> Iterator[Lab]:
    root = Path(tempfile.mkdtemp(prefix="lab-"))  # outside of the folders of pytest, which are private
    root.chmod(0o755)
    write_folder(root / "images", tree("a", "b"))
    yield Lab(root / "images", root / "cache")
    shutil.rmtree(root)


def zero_pixels(folder: str) -> None:
    path = Path(folder) / cache.IMAGES
    path.write_bytes(bytes(path.stat().st_size))


def names(error: str, *parts: object) -> bool:
    assert "\n" not in error
    return all(str(part) in error for part in parts)


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o2775, 0o1777])
def test_what_is_made_in_a_cache_is_as_open_as_the_cache(cache_root: Path, tmp_path: Path, mode: int) -> None:
    cache_root.chmod(mode)
    before = os.umask(0o077)
    try:
        dataset = load_dataset(str(write_folder(tmp_path, tree("a", "b"))))
        cache.kept_array(dataset.cache_dir, "kept.npy", lambda: np.zeros(3))
    finally:
        os.umask(before)
    for path in cache_root.rglob("*"):
        others = mode if path.is_dir() else mode & (0o666 if path.suffix == ".lock" else 0o444) | 0o600
        assert stat.S_IMODE(path.stat().st_mode) == others, path
    assert len(list(dataset.cache_dir.iterdir())) == 5


@pytest.mark.process
@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o2770, 0o1777])
def test_images_that_the_first_user_decoded_are_used_by_the_second(lab: Lab, mode: int) -> None:
    lab.open_cache(mode)
    first, second = lab.load(FIRST), lab.load(SECOND)
    assert (first["error"], second["error"]) == ("", "")
    assert first["decoded"]
    assert not second["decoded"]
    assert second["pixels"] == first["pixels"]


@pytest.mark.process
@needs_root
def test_in_a_folder_of_the_group_the_second_user_adds_and_repairs(lab: Lab) -> None:
    lab.open_cache(0o2770)
    first = lab.load(FIRST)
    other = write_folder(lab.images.parent / "other", tree("a", "b", first_seed=500))
    assert lab.load(SECOND, other)["decoded"]
    assert not lab.load(FIRST, other)["decoded"]
    zero_pixels(first["folder"])
    repaired = lab.load(SECOND)
    assert repaired["pixels"] == first["pixels"]
    assert any("damaged" in text for text in repaired["notes"])
    assert not lab.load(FIRST)["decoded"]


@pytest.mark.process
@needs_root
def test_a_draft_that_another_user_left_behind_does_no_harm(lab: Lab) -> None:
    lab.open_cache(0o1777)
    first = lab.load(FIRST)
    Path(first["folder"]).rename(f"{first['folder']}.0123.draft")
    assert lab.load(SECOND)["pixels"] == first["pixels"]


@pytest.mark.process
@needs_root
def test_images_that_their_owner_does_not_share_are_refused_in_one_line(lab: Lab) -> None:
    lab.open_cache(0o2770)
    folder = lab.load(FIRST)["folder"]
    Path(folder).chmod(0o700)
    assert names(lab.load(SECOND)["error"], folder, os.strerror(13), "chmod", cache_folder.ENVIRONMENT)
    lab.cache.chmod(0o700)
    assert names(lab.load(SECOND)["error"], folder, os.strerror(13), "chmod", cache_folder.ENVIRONMENT)


@pytest.mark.process
@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_damaged_images_that_a_user_may_not_replace_are_refused_before_decoding(lab: Lab, mode: int) -> None:
    lab.open_cache(mode)
    folder = lab.load(FIRST)["folder"]
    zero_pixels(folder)
    found = lab.load(SECOND)["error"]
    assert names(found, folder, "damaged", cache_folder.ENVIRONMENT)


@pytest.mark.process
@needs_root
def test_images_that_a_user_may_not_add_are_refused_in_one_line(lab: Lab) -> None:
    lab.open_cache(0o755)
    error = lab.load(SECOND)["error"]
    assert names(error, lab.cache, os.strerror(13), cache_folder.ENVIRONMENT)
    assert "damaged" not in error


def test_compiled_code_of_a_cache_that_others_write_to_is_kept_elsewhere(
    cache_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder.code_root() == cache_root
    cache_root.chmod(0o2775)
    elsewhere = cache_folder.code_root()
    assert not elsewhere.is_relative_to(cache_root)
    monkeypatch.delenv(cache_folder.ENVIRONMENT)
    assert elsewhere == cache_folder.cache_root()
