"""Disks that are full at some write of a search, wherever that is: one line, and it goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import environment
from tests.faults.test_storage import needs_mount

pytestmark = [pytest.mark.faults, pytest.mark.training, needs_mount]

ROOT = Path(__file__).parents[2]
# Pages of 4 KiB: before the store, in it, in the tables, in checkpoints of the first and of later trials.
STEPS = (0, 1, 2, 10, 15, 21, 24, 50, 100, 181, 250)


def test_a_search_stops_in_one_line_wherever_the_disk_is_full_and_goes_on_to_the_same_outcome(
    tmp_path: Path,
) -> None:
    arguments = ("-m", "tests.faults.full_disk", "--steps", *map(str, STEPS))
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
