"""The times of a run, from end to end."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run, command, environment

pytestmark = pytest.mark.training

REQUEST = ("--max-trials", 1, "--max-epochs", 1)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> Path:
    """The folder in which one configuration was searched."""
    folder = tmp_path_factory.mktemp("timed")
    subprocess.run(
        command("search", "--data", images, *REQUEST, "--name", "timed", "--quiet"),
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        check=True,
    )
    return folder


def timings(work: Path) -> dict[str, float]:
    facts = json.loads((work / "results" / "timed" / "run.json").read_text("utf-8"))
    found: dict[str, float] = facts["timings"]
    return found


def test_a_run_lacks_nothing_of_what_is_compared(tuner: Run, work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "results" / "timed", tmp_path / "copy")
    result = tuner("compare", "timed", tmp_path / "copy", "--format", "json", cwd=work)
    assert result.stderr == ""
    _, second = json.loads(result.stdout)
    assert [name for name, value in second.items() if value is None] == []


def test_a_run_that_goes_on_adds_to_its_times(tuner: Run, work: Path) -> None:
    before = timings(work)
    assert tuner("resume", "timed", "--quiet", cwd=work).code == 0
    after = timings(work)
    assert after.keys() == before.keys() == {"preparation_s", "loading_s"}
    assert all(after[step] > before[step] > 0 for step in before)
