"""Disks that are full or cannot be written: a clear error that names the file, and nothing lost."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment, run_command, write_images
from tests.pools import stub_pool
from tuner.results.query import open_run

# Nets of 600 kB, all of one size, with the two moments of Adam: which of them is the best changes no file.
REQUEST = (
    *("--data", "tiny", "--space", "sequential", "--algorithm", "random", "--max-trials", 3),
    *("--max-epochs", 1, "--seed", 7, "--quiet", "--name", "run"),
    *("--hp", "filters=20", "--hp", "units_1=300", "--hp", "units_2=300", "--hp", "optimizer=adam"),
)
# The first trial needs 2,500 KiB while it trains, the second beside it more than 4,600.
SMALL_KIB = 3200


def can_mount() -> bool:
    """True where this user may mount a small disk in a namespace of its own."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    probe = "mount -t tmpfs -o size=1m tmpfs /mnt"
    return (
        subprocess.run(["unshare", "-rm", "sh", "-c", probe], capture_output=True, check=False).returncode
        == 0
    )


needs_mount = pytest.mark.skipif(not can_mount(), reason="may not mount a file system here")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("images") / "tiny")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """A folder with images and a search that is over, in `whole/run`."""
    folder = tmp_path_factory.mktemp("storage")
    shutil.copytree(images, folder / "tiny")
    pool = stub_pool(lambda _, epoch: 0.5 + epoch / 100)
    request = ("search", *REQUEST, "--results-dir", "whole")
    result = run_command(*request, cwd=folder, cache=folder / "cache", pool=pool)
    assert result.code == 0, result.stderr
    return folder


def finished_trials(run: Path) -> dict[str, float | None]:
    return {trial.trial_id: trial.score for trial in open_run(run).trials if trial.status == "COMPLETED"}


def in_namespace(arena: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount; `$TUNER` is the command."""
    tuner = " ".join(command())
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        cwd=arena,
        env={**environment(arena / "cache"), "TUNER": tuner},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_mount
@pytest.mark.training
@pytest.mark.faults
def test_a_search_on_a_full_disk_stops_names_the_file_and_goes_on_when_there_is_space(arena: Path) -> None:
    search = f"$TUNER search {shlex.join(map(str, REQUEST))} --results-dir small"
    done = in_namespace(
        arena,
        f"mkdir -p small before after && mount -t tmpfs -o size={SMALL_KIB}k tmpfs small && "
        f"{search}; echo code $?; cp -r small/run before/ && mount -o remount,size=400m small && "
        "$TUNER resume run --results-dir small --quiet; echo code $?; cp -r small/run after/",
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 1", "code 0"], done.stderr
    before, after = finished_trials(arena / "before" / "run"), finished_trials(arena / "after" / "run")
    assert 0 < len(before) < len(after) == 3
    assert before.items() <= after.items()
    first = done.stderr.splitlines()[0]
    assert first.startswith("error: cannot write 'small/run/")
    assert "No space left on device" in first or "full" in first
    assert "Traceback" not in done.stderr


@needs_mount
@pytest.mark.training
@pytest.mark.faults
def test_a_run_on_a_read_only_disk_can_be_looked_at_and_not_continued(arena: Path) -> None:
    done = in_namespace(
        arena,
        "mkdir -p fixed && mount -t tmpfs -o size=400m tmpfs fixed && "
        "cp -r whole/run fixed/ && mount -o remount,ro fixed && "
        "$TUNER leaderboard run --results-dir fixed --format json > rows.json; echo code $?; "
        "$TUNER resume run --results-dir fixed; echo code $?",
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 0", "code 1"], done.stderr
    assert len(json.loads((arena / "rows.json").read_text("utf-8"))) == 3
    assert "'fixed/run': Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


@needs_mount
@pytest.mark.training
@pytest.mark.faults
def test_a_full_folder_for_temporary_files_is_named_and_the_search_goes_on_with_another(arena: Path) -> None:
    search = f"$TUNER search {shlex.join(map(str, REQUEST))} --results-dir other"
    done = in_namespace(
        arena,
        "mkdir -p tight && mount -t tmpfs -o size=16k tmpfs tight && "
        f"TMPDIR=$PWD/tight {search}; echo code $?; "
        "$TUNER resume run --results-dir other --quiet; echo code $?",
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 1", "code 0"], done.stderr
    first = done.stderr.splitlines()[0]
    assert "TMPDIR" in first
    assert "tuner resume other/run" in first
    assert "Traceback" not in done.stderr


@needs_mount
@pytest.mark.training
@pytest.mark.faults
def test_a_cache_that_is_full_is_named(arena: Path) -> None:
    done = in_namespace(
        arena,
        "mkdir -p nook && mount -t tmpfs -o size=4k tmpfs nook && "
        "TUNER_CACHE_DIR=nook/cache $TUNER data show tiny; echo code $?",
    )
    assert "code 0" not in done.stdout
    assert "nook/cache" in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("keep", [0, 100], ids=["empty", "cut"])
def test_a_damaged_cache_is_made_anew(images: Path, tmp_path: Path, keep: int) -> None:
    cache = tmp_path / "cache"
    show = ("data", "show", images, "--format", "json")
    first = run_command(*show, cwd=tmp_path, cache=cache)
    assert (first.code, first.stderr) == (0, "")
    files = [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size > keep]
    sizes = [path.stat().st_size for path in files]
    assert sizes
    for path in files:
        damaged = path.read_bytes()[:keep]
        path.unlink()  # what this process has mapped of it stays whole
        path.write_bytes(damaged)
    again, expected = (
        json.loads(run_command(*show, cwd=tmp_path, cache=cache).stdout),
        json.loads(first.stdout),
    )
    (note,) = set(again.pop("notes")) - set(expected.pop("notes"))
    assert "damaged" in note
    assert again == expected
    assert [path.stat().st_size for path in files] == sizes
