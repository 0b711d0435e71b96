"""The times of a run, from end to end."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.training


def timings(folder: Path) -> dict[str, float]:
    facts = json.loads((folder / "results" / "first" / "run.json").read_text("utf-8"))
    found: dict[str, float] = facts["timings"]
    return found


def test_a_run_lacks_nothing_of_what_is_compared(tuner: Run, copy_of_finished: Path) -> None:
    shutil.copytree(copy_of_finished / "results" / "first", copy_of_finished / "copy")
    result = tuner("compare", "first", copy_of_finished / "copy", "--format", "json")
    assert result.stderr == ""
    _, second = json.loads(result.stdout)
    # Its test split has no copies of training images.
    assert [name for name, value in second.items() if value is None] == ["accuracy_without_seen"]


def test_a_run_that_goes_on_adds_to_its_times(tuner: Run, copy_of_finished: Path) -> None:
    before = timings(copy_of_finished)
    assert tuner("resume", "first", "--quiet").code == 0
    after = timings(copy_of_finished)
    assert after.keys() == before.keys() == {"preparation_s", "loading_s"}
    assert all(after[step] > before[step] > 0 for step in before)
