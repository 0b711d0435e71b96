"""Folders of searches that were ended before they began: their names are free, all else is left."""

from pathlib import Path

import pytest

from tests.cli.conftest import Result, run_command
from tests.pools import stub_pool
from tuner.results.lock import LOCK_FILE, locked

pytestmark = pytest.mark.training

SMALL = ("--max-epochs", 1, "--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100", "--quiet")
LEFT = (LOCK_FILE, "worker.log", "draft-0123abcd-run.sqlite", "draft-0123abcd-run.sqlite-wal")


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A folder as a search leaves it that is killed while it makes its store."""
    folder = tmp_path / "results" / "mine"
    (folder / "checkpoints").mkdir(parents=True)
    for name in (*LEFT, "checkpoints/reachable"):
        (folder / name).write_bytes(b"")
    return folder


def tuner(*arguments: object, cwd: Path, cache: Path) -> Result:
    return run_command(*arguments, cwd=cwd, cache=cache, pool=stub_pool(lambda _, epoch: epoch / 100))


def train(images: Path, cwd: Path, cache: Path) -> Result:
    return tuner("train", "--data", images, "--name", "mine", *SMALL, cwd=cwd, cache=cache)


def test_the_name_is_used_by_the_next_search(left: Path, images: Path, tmp_path: Path, cache: Path) -> None:
    result = train(images, tmp_path, cache)
    assert result.code == 0, result.stderr
    assert list(left.rglob("draft-*")) == []
    assert (left / "run.sqlite").is_file()


@pytest.mark.parametrize("command", ["resume", "retry", "doctor"])
def test_a_command_on_it_deletes_it_and_says_so(
    command: str, left: Path, tmp_path: Path, cache: Path
) -> None:
    result = tuner(command, "mine", cwd=tmp_path, cache=cache)
    assert result.code == 2
    (line,) = result.error_lines
    assert "'mine'" in line
    assert "free" in line
    assert not left.exists()


@pytest.mark.parametrize("name", ["notes.txt", "draft-letter.txt", "checkpoints/0001", "run.sqlite.bak"])
def test_a_folder_with_anything_else_in_it_is_not_touched(
    name: str, left: Path, images: Path, tmp_path: Path, cache: Path
) -> None:
    (left / name).write_text("mine", "utf-8")
    before = sorted(left.rglob("*"))
    for result in (train(images, tmp_path, cache), tuner("resume", "mine", cwd=tmp_path, cache=cache)):
        assert result.code != 0
    assert set(before) <= set(left.rglob("*"))


def test_a_link_out_of_the_results_is_not_followed(
    left: Path, images: Path, tmp_path: Path, cache: Path
) -> None:
    away = left.rename(tmp_path / "away")
    left.symlink_to(away)
    assert train(images, tmp_path, cache).code == 2
    assert tuner("doctor", "mine", cwd=tmp_path, cache=cache).code == 2
    assert {path.name for path in away.iterdir()} == {*LEFT, "checkpoints"}


def test_a_folder_without_a_lock_was_made_by_no_search(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert tuner("resume", "empty", cwd=tmp_path, cache=cache).code == 2
    assert (tmp_path / "empty").is_dir()


def test_a_search_that_is_just_beginning_keeps_its_folder(
    left: Path, images: Path, tmp_path: Path, cache: Path
) -> None:
    with locked(left):
        for result in (train(images, tmp_path, cache), tuner("resume", "mine", cwd=tmp_path, cache=cache)):
            assert result.code == 2
            assert "another tuner" in result.error_lines[-1]
    assert {path.name for path in left.iterdir()} == {*LEFT, "checkpoints"}


def test_a_search_that_is_refused_leaves_no_folder(images: Path, tmp_path: Path, cache: Path) -> None:
    assert tuner("train", "--data", images, "--hp", "none=1", cwd=tmp_path, cache=cache).code == 2
    assert list((tmp_path / "results").iterdir()) == []
