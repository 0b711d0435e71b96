"""Every command that the README shows does what it says."""

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import environment, run_command
from tests.cli.pages import ROOT, shown_commands
from tests.pools import stub_pool

# What keeps a command short enough for a test; the rest of it stays as shown.
SMALLER = {"--max-trials 50": "--max-trials 2 --max-epochs 1", "--max-time 2h": "--max-time 2m"}
# Checked elsewhere: `make demo` and `make test` below, installing by `make wheel`.
SET_UP = ("make ", "pip install ", "git clone ", "cd ")


def test_the_readme_shows_nothing_but_known_commands() -> None:
    commands = shown_commands()
    assert {"make demo", "make test"} <= set(commands)
    assert all(line.startswith(("tuner ", *SET_UP)) for line in commands)


def test_make_demo_runs_the_main_job_and_exports() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for line in ("tuner search --space sequential --max-trials 50", "tuner best --export model.keras"):
        assert line in planned
        assert line in shown_commands()


@pytest.mark.training
def test_the_commands_work_one_after_the_other(images: Path, cache: Path, tmp_path: Path) -> None:
    """Trials are not trained here, as nothing depends on their figures; all else is done."""
    with zipfile.ZipFile(tmp_path / "cifake.zip", "w") as archive:
        for path in images.rglob("*.png"):
            archive.write(path, path.relative_to(images))
    (tmp_path / "my_space.py").write_text((ROOT / "examples" / "my_space.py").read_text("utf-8"), "utf-8")
    (tmp_path / "search.toml").write_text("max_trials = 2\nmax_epochs = 1\n", encoding="utf-8")
    small = {"TUNER_MAX_TRIALS": "1", "TUNER_MAX_EPOCHS": "1", "TUNER_DATA": "cifake.zip"}
    pool = stub_pool(lambda _, epoch: epoch / 10)
    for line in shown_commands():
        if line.startswith(SET_UP):
            continue
        for shown, smaller in SMALLER.items():
            line = line.replace(shown, smaller)
        result = run_command(*shlex.split(line)[1:], cwd=tmp_path, cache=cache, pool=pool, **small)
        assert result.code == 0, f"{line}\n{result.stderr}"


@pytest.mark.process
def test_python_m_tuner_is_the_command(cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tuner", "--version"],
        env=environment(cache),
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.fullmatch(r"tuner \d+\.\d+\.\d+\n", done.stdout)
