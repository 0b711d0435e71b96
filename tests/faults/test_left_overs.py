"""What killed commands leave behind, and who clears it away."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment, run_command, write_images
from tests.pools import stub_pool
from tuner.files import draft_folder

pytestmark = [pytest.mark.faults, pytest.mark.training]

WAIT_S = 120.0
# Its build ends in no test: a search with it is caught between its folder and its store.
HANGING = """
import time


def build(hp, spec):
    time.sleep(600)
"""
DRAFT = """
import sys, time
from pathlib import Path
from tuner.files import draft_folder

with draft_folder(Path(sys.argv[1])) as folder:
    (folder / "half a model").write_bytes(b"half")
    print(folder, flush=True)
    time.sleep(600)
"""


@contextmanager
def killed_at_the_end(process: "subprocess.Popen[str]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def drafting(tmp_path: Path) -> "Iterator[tuple[subprocess.Popen[str], Path]]":
    """A process that makes an export, and its folder."""
    arguments = [sys.executable, "-c", DRAFT, str(tmp_path)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    with killed_at_the_end(process):
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().rstrip("\n"))


def test_a_draft_is_deleted_by_the_next_export_after_its_process_was_killed(
    drafting: "tuple[subprocess.Popen[str], Path]", tmp_path: Path
) -> None:
    process, left = drafting
    strangers = [tmp_path / "draft-folder-notes", tmp_path / "draft-letter.txt"]
    for path in strangers:
        path.mkdir()
    with draft_folder(tmp_path):
        assert (left / "half a model").is_file()
    process.kill()
    process.wait()
    with draft_folder(tmp_path):
        assert not left.exists()
    assert sorted(tmp_path.iterdir()) == strangers


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, and with a run whose search was killed before it began."""
    folder = tmp_path_factory.mktemp("killed")
    write_images(folder / "tiny")
    (folder / "hanging.py").write_text(HANGING, "utf-8")
    search = ("search", "--data", "tiny", "--space", "hanging.py", "--name", "mine", "--quiet")
    process = subprocess.Popen(
        command(*search), cwd=folder, env=environment(folder / "cache"), stderr=subprocess.PIPE, text=True
    )
    with killed_at_the_end(process):
        until = time.monotonic() + WAIT_S
        while not (folder / "results" / "mine" / "worker.log").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        for again in (("search", "--data", "tiny", "--name", "mine"), ("resume", "mine"), ("doctor", "mine")):
            refused = run_command(*again, cwd=folder, cache=folder / "cache")
            assert refused.code == 2
            assert "another tuner" in refused.error_lines[-1]
        assert process.poll() is None
    assert (folder / "results" / "mine").is_dir()
    return folder


def test_the_name_of_a_search_that_was_killed_at_its_start_is_used_again(
    killed: Path, tmp_path: Path
) -> None:
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    request = ("train", "--data", "tiny", "--name", "mine", "--max-epochs", 1, "--quiet")
    pool = stub_pool(lambda _, epoch: epoch / 100)
    result = run_command(*request, cwd=tmp_path, cache=tmp_path / "cache", pool=pool)
    assert result.code == 0, result.stderr


@pytest.mark.parametrize("name", ["resume", "doctor"])
def test_a_search_that_was_killed_at_its_start_is_cleared_away_by_a_command_on_it(
    name: str, killed: Path, tmp_path: Path
) -> None:
    shutil.copytree(killed / "results", tmp_path / "results")
    result = run_command(name, "mine", cwd=tmp_path, cache=tmp_path / "cache")
    assert result.code == 2
    assert list((tmp_path / "results").iterdir()) == []
