"""A run of a stranger gives an answer or one line, and no command touches anything outside of its folder."""

from __future__ import annotations

import _thread
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer
from typing import Any, NoReturn

import pytest
from PIL import Image

from tests.cli.conftest import Result, run_command
from tests.conftest import SIDE, write_npz
from tests.damage.attacks import GRAVE, ODD
from tests.damage.file_watch import watching
from tests.damage.hostile_runs import Attack, write_victim
from tests.pools import stub_pool
from tuner.cli import dashboard
from tuner.results.schema import ENSEMBLE_PREFIX, MODEL_FILE, STORE_FILE

pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is of Linux"),
]

SMALL = ("--hp", "filters=20", "--hp", "units_1=100|200|300", "--hp", "units_2=100", "--hp", "kernel_size=2")
REQUEST = (
    *("--space", "sequential", "--data", "two.npz", "--algorithm", "random", "--max-epochs", 1),
    *("--seed", 7, "--quiet", *SMALL),
)
POOL = stub_pool(lambda values, epoch: values["units_1"] / 1000 + epoch / 100)
OTHER, HOSTILE = "first", "hostile"
READING = (
    ("runs", "--format", "json"),
    ("leaderboard",),
    ("leaderboard", HOSTILE),
    ("best", HOSTILE),
    ("best", HOSTILE, "--format", "toml"),
    ("importance", HOSTILE),
    ("compare", OTHER, HOSTILE),
    ("dashboard", HOSTILE, "--port", 0),
    ("predict", HOSTILE, "a.png"),
    ("predict", f"results/{HOSTILE}/{ENSEMBLE_PREFIX}2/{MODEL_FILE}", "a.png"),
    ("evaluate", HOSTILE),
)
# Each on the run as the stranger made it.
WRITING = (
    ("report", HOSTILE),
    ("best", HOSTILE, "--export", "exported.keras"),
    ("best", HOSTILE, "--retrain", "--seeds", 1),
    ("best", HOSTILE, "--ensemble", 2),
    # That of two is there; this one is made of the checkpoints.
    ("best", HOSTILE, "--ensemble", 3),
    ("retry", HOSTILE, "--quiet"),
    ("resume", HOSTILE, "--quiet"),
    ("doctor", HOSTILE),
)
BESIDE = (
    ("runs",),
    ("leaderboard",),
    ("search", *REQUEST, "--max-trials", 1, "--reuse", "--name", "beside"),
)
# Those that the default run tries too.
FIRST = {"id {up}/trial FAILED", "code {run}/evil.py", "storage", "link run.sqlite", "link worker.log"}
# Longer than the slowest command on a busy machine.
LIMIT_S = 300.0


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and two runs, of which one becomes hostile."""
    folder = tmp_path_factory.mktemp("sound")
    write_npz(folder / "two.npz", ("FAKE", "REAL"), 60)
    Image.new("RGB", (SIDE, SIDE), (90, 90, 90)).save(folder / "a.png")
    for arguments in (
        ("search", *REQUEST, "--max-trials", 1, "--name", OTHER),
        ("search", *REQUEST, "--max-trials", 3, "--name", HOSTILE),
        ("best", HOSTILE, "--retrain", "--seeds", 1),
        ("best", HOSTILE, "--ensemble", 2),
        ("report", HOSTILE),
    ):
        result = run_command(*arguments, cwd=folder, cache=folder / "cache", pool=POOL)
        assert result.code == 0, result.stderr
    return folder


@contextmanager
def answering(run: Path) -> Iterator[None]:
    """Fail where a command never ends: wake it where it waits for a pipe, or counts without end."""
    hung: list[bool] = []
    connections: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connections.append(connect(*arguments, **options))
        return connections[-1]

    def wake() -> None:
        hung.append(True)
        for connection in connections:
            try:
                connection.interrupt()
            except sqlite3.ProgrammingError:  # it is closed
                continue
        for path in (each for each in run.rglob("*") if stat.S_ISFIFO(each.lstat().st_mode)):
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        _thread.interrupt_main()

    timer = Timer(LIMIT_S, wake)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", recorded)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
    assert not hung, f"no answer within {LIMIT_S:g} s"


def run_hostile(arguments: tuple[object, ...], folder: Path) -> Result:
    """Run a command; a dashboard ends when it has started."""

    def end(_: object) -> NoReturn:
        raise KeyboardInterrupt

    with ExitStack() as stack:
        stack.enter_context(answering(folder / "results" / HOSTILE))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(dashboard._Server, "serve_forever", end)
        return run_command(*arguments, cwd=folder, cache=folder / "cache", pool=POOL)


def copy_run(source: Path, target: Path) -> None:
    """Copy a run with its links and pipes as they are."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", source, target], check=True)


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not path.name.startswith(f"{STORE_FILE}-")
    }


def make_hostile(attack: Attack, run: Path, victim: Path) -> None:
    try:
        attack(run, victim)
    except PermissionError:
        pytest.skip("this user may not make that")


def check(arguments: tuple[object, ...], result: Result) -> None:
    """Require an answer, or an error of one line, without the escapes of a stranger."""
    named = " ".join(map(str, arguments))
    assert "Traceback" not in result.stderr, f"{named}: {result.stderr}"
    assert "\x1b" not in result.stdout + result.stderr, f"{named}: {result.stderr!r}"
    errors = [line for line in result.error_lines if line.startswith("error: ")]
    assert (result.code, len(errors)) in ((0, 0), (1, 1), (2, 1)), f"{named}: {result.stderr}"


def attack_run(attack: Attack, sound: Path, folder: Path) -> None:
    """Open a hostile run with every command; none touches the victim or the run beside it."""
    work, victim, made = folder / "work", folder / "victim", folder / "made"
    shutil.copytree(sound, work)
    write_victim(victim)
    run, other = work / "results" / HOSTILE, work / "results" / OTHER
    make_hostile(attack, run, victim)
    copy_run(run, made)
    before = contents(victim), contents(other)
    with watching(victim) as watch:
        for arguments in (*READING, *WRITING):
            if arguments in WRITING:
                copy_run(made, run)
            result = run_hostile(arguments, work)
            assert watch.events() == [], f"{arguments}: {result.stderr}"
            check(arguments, result)
    assert (contents(victim), contents(other)) == before


@pytest.mark.faults
def test_a_sound_run_is_read_by_every_command(sound: Path, tmp_path: Path) -> None:
    """Else the others would be refused for another reason than their attacks."""
    shutil.copytree(sound, tmp_path / "work")
    for arguments in (*READING, *WRITING):
        result = run_hostile(arguments, tmp_path / "work")
        assert result.code == 0, f"{arguments}: {result.stderr}"


@pytest.mark.parametrize(
    "attack", [pytest.param(name, marks=[] if name in FIRST else pytest.mark.faults) for name in GRAVE]
)
def test_no_command_leaves_the_folder_of_a_hostile_run(attack: str, sound: Path, tmp_path: Path) -> None:
    attack_run(GRAVE[attack], sound, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize(
    "attack",
    [pytest.param(name, marks=[] if place % 12 == 0 else pytest.mark.slow) for place, name in enumerate(ODD)],
)
def test_odd_contents_of_a_run_are_refused_in_one_line(attack: str, sound: Path, tmp_path: Path) -> None:
    attack_run(ODD[attack], sound, tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize("attacks", [GRAVE, dict(list(ODD.items())[::4])], ids=["grave", "odd"])
def test_a_search_beside_hostile_runs_touches_nothing_of_them(
    attacks: dict[str, Attack], sound: Path, tmp_path: Path
) -> None:
    work, victims = tmp_path / "work", tmp_path / "victims"
    shutil.copytree(sound, work)
    for number, attack in enumerate(attacks.values()):
        run, victim = work / "results" / f"{HOSTILE}-{number}", victims / str(number)
        shutil.copytree(work / "results" / HOSTILE, run)
        write_victim(victim)
        make_hostile(attack, run, victim)
    before = contents(victims)
    with watching(victims) as watch:
        for arguments in BESIDE:
            result = run_hostile(arguments, work)
            assert watch.events() == [], f"{arguments}: {result.stderr}"
            check(arguments, result)
            assert arguments[0] == "leaderboard" or result.code == 0, result.stderr
    assert contents(victims) == before
