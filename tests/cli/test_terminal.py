"""What a person sees at a real terminal."""

import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import environment

pytestmark = pytest.mark.training


@pytest.mark.parametrize("columns", [80, 120])
def test_progress_is_live_and_fits_the_width(images: Path, cache: Path, tmp_path: Path, columns: int) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tuner", "search", "--data", str(images), "--max-trials", "2", "--max-epochs", "2"],
        cwd=str(tmp_path),
        env={**environment(cache), "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"},
        dimensions=(40, columns),
        encoding="utf-8",
        timeout=120,
    )
    for expected in ("plan", "trial 1 of 2", "epoch 1 of 2", "best val_accuracy", "Leaderboard", "accuracy"):
        child.expect(expected)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
