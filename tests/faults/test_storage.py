"""Disks that are full or cannot be written: a clear error that names the file, and nothing lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import command, environment, write_images

pytestmark = [pytest.mark.training, pytest.mark.faults]

REQUEST = ("--max-trials", 3, "--max-epochs", 2, "--quiet", "--name", "run")


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
def arena(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("storage")
    write_images(folder / "tiny")
    return folder


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
def test_a_search_on_a_full_disk_stops_names_the_file_and_goes_on_when_there_is_space(arena: Path) -> None:
    search = f"$TUNER search --data tiny {' '.join(map(str, REQUEST))} --results-dir small"
    done = in_namespace(
        arena,
        "mkdir -p small kept && mount -t tmpfs -o size=4m tmpfs small && "
        f"{search}; echo code $?; cp -r small/run kept/ && mount -o remount,size=400m small && "
        "$TUNER leaderboard run --results-dir small --format json > before.json; "
        "$TUNER resume run --results-dir small --quiet; echo code $?",
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 1", "code 0"], done.stderr
    first = done.stderr.splitlines()[0]
    assert first.startswith("error: cannot write 'small/run/")
    assert "No space left on device" in first or "full" in first
    assert "Traceback" not in done.stderr


@needs_mount
def test_a_run_on_a_read_only_disk_can_be_looked_at_and_not_continued(arena: Path) -> None:
    search = f"$TUNER search --data tiny {' '.join(map(str, REQUEST))} --results-dir fixed"
    done = in_namespace(
        arena,
        "mkdir -p fixed && mount -t tmpfs -o size=400m tmpfs fixed && "
        f"{search} >search.txt 2>&1; mount -o remount,ro fixed && "
        "$TUNER leaderboard run --results-dir fixed --format json > rows.json; echo code $?; "
        "$TUNER resume run --results-dir fixed; echo code $?",
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 0", "code 1"], done.stderr
    assert len(json.loads((arena / "rows.json").read_text("utf-8"))) == 3
    assert "cannot write run folder 'fixed/run': Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


@needs_mount
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
def test_a_damaged_cache_is_made_anew(arena: Path, keep: int) -> None:
    cache = arena / f"cache-{keep}"
    show = command("data", "show", "tiny", "--format", "json")
    first = subprocess.run(show, cwd=arena, env=environment(cache), capture_output=True, check=True).stdout
    files = [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size]
    for path in files:
        path.write_bytes(path.read_bytes()[:keep])
    again = subprocess.run(show, cwd=arena, env=environment(cache), capture_output=True, check=True).stdout
    assert again == first
