"""Outputs that cannot be written: a full disk fails in one line, a closed pipe interrupts in silence."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Finished, Result, command, environment, run_command
from tests.pools import stub_pool

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
CLOSED_PIPE = 141


def run_with(stdout: int, arguments: tuple[str, ...], folder: Path, cache: Path) -> Result:
    """Run `tuner` in a process whose stdout is this file."""
    process = subprocess.Popen(
        command(*arguments), cwd=folder, env=environment(cache), stdout=stdout, stderr=subprocess.PIPE
    )
    _, said = process.communicate()
    return Result(process.returncode, "", said.decode())


COMMANDS = [("--help",), ("runs",), ("leaderboard", "--format", "csv")]


@needs_full
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_below_stdout_is_one_line(
    finished: Finished, cache: Path, arguments: tuple[str, ...]
) -> None:
    with FULL.open("wb") as full:
        result = run_with(full.fileno(), arguments, finished.folder, cache)
    assert (result.code, len(result.error_lines)) == (1, 1)
    assert "No space left" in result.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_closed_pipe_is_an_interruption_without_a_word(
    finished: Finished, cache: Path, arguments: tuple[str, ...]
) -> None:
    read, written = os.pipe()
    os.close(read)
    try:
        result = run_with(written, arguments, finished.folder, cache)
    finally:
        os.close(written)
    assert (result.code, result.stderr) == (CLOSED_PIPE, "")


def test_a_search_that_cannot_write_names_the_command_that_goes_on(
    tmp_path: Path, images: Path, cache: Path
) -> None:
    table = tmp_path / "results" / "first" / "trials.csv"

    def score(_values: dict[str, object], epoch: int) -> float:
        if not table.is_dir():  # which no file can replace
            table.unlink()
            (table / "in-the-way").mkdir(parents=True)
        return epoch / 100

    small = ("--max-trials", 2, "--max-epochs", 1, "--hp", "filters=20", "--hp", "units_1=100")
    request = ("search", "--data", images, "--name", "first", *small)
    result = run_command(*request, cwd=tmp_path, cache=cache, pool=stub_pool(score))
    assert result.code == 1
    assert f"cannot write '{table.relative_to(tmp_path)}'" in result.error_lines[-1]
    assert result.error_lines[-1].endswith("tuner resume first")
