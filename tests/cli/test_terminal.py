"""What a person sees at a real terminal."""

import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import environment


@pytest.mark.process
@pytest.mark.training
def test_progress_is_live(images: Path, cache: Path, tmp_path: Path) -> None:
    small = ["--max-trials", "2", "--max-epochs", "2", "--hp", "filters=20", "--hp", "units_1=100"]
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tuner", "search", "--data", str(images), *small],
        cwd=str(tmp_path),
        env={**environment(cache), "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "40"},
        dimensions=(40, 80),
        encoding="utf-8",
        timeout=120,
    )
    for expected in ("plan", "trial 1 of 2", "epoch 1 of 2", "best val_accuracy", "Leaderboard", "accuracy"):
        child.expect(expected)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
