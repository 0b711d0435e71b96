"""Checkpoints in a folder that is not the run's own."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.training


def test_a_dry_run_leaves_nothing_in_storage(tuner: Run, images: Path, tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    storage.mkdir()
    result = tuner("search", "--data", images, "--dry-run", "--storage", storage)
    assert result.code == 0, result.stderr
    assert list(storage.iterdir()) == []


def test_checkpoints_of_another_run_of_the_name_are_not_gone_on_from(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    left = tmp_path / "storage" / "mine" / "checkpoints" / "0001"
    left.mkdir(parents=True)
    result = tuner("search", "--data", images, "--storage", tmp_path / "storage", "--name", "mine")
    assert (result.code, result.stdout) == (2, "")
    for part in (f"'{left.parent}'", "checkpoints", "another run 'mine'"):
        assert part in result.error_lines[-1]
    assert not (tmp_path / "results" / "mine").exists()
    assert left.is_dir()
