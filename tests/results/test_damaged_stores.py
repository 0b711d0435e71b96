"""Stores that a disk, another program or a stranger has changed are refused in one line."""

import os
import shutil
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.results.records import FACTS, epoch, record
from tuner.errors import StorageError, UnknownVersionError
from tuner.results import store_file
from tuner.results.query import open_run, runs
from tuner.results.repair import repair_run
from tuner.results.schema import BACKUP_FILE, COMPLETED, SCHEMA_VERSION, STORE_FILE
from tuner.results.store import Store

SCORES = (0.625, 0.8125, 0.71875)
ENDLESS = "WITH RECURSIVE n(trial_id) AS (SELECT 1 UNION ALL SELECT trial_id + 1 FROM n) SELECT * FROM n"


def make_run(path: Path, **facts: object) -> Path:
    path.mkdir(parents=True)
    with closing(Store.create(path / STORE_FILE, {**FACTS, **facts})) as store:
        for number, score in enumerate(SCORES, start=1):
            trial_id = f"{number:04d}"
            store.start_rung(record(trial_id))
            epoch(store, trial_id, 0, 1, {"val_accuracy": score}, score)
            store.finish_rung(trial_id, 0, COMPLETED, 10, 1.0)
        store.back_up()
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "results" / "first")


def read_all(run: Path) -> None:
    with closing(Store(run / STORE_FILE)) as store:
        store.run()
        store.trials()
        store.rung_scores()
        store.epochs()
        store.history("0001")


def edit(path: Path, statement: str) -> None:
    """Change a store as somebody does who knows how its checksums are made."""
    with closing(store_file.connect(path)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(statement)


def set_version(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {version}")


@pytest.mark.parametrize("bit", [0, 3, 20, 40, 51])
@pytest.mark.parametrize("score", SCORES)
def test_a_flipped_bit_of_a_score_is_found_wherever_it_stands(run: Path, score: float, bit: int) -> None:
    contents = (run / STORE_FILE).read_bytes()
    old = struct.pack(">d", score)
    new = (int.from_bytes(old) ^ 1 << bit).to_bytes(8)
    places = [place for place in range(len(contents)) if contents.startswith(old, place)]
    assert len(places) == 3  # of the trial, its rung, and its epoch
    for place in places:
        (run / STORE_FILE).write_bytes(contents[:place] + new + contents[place + 8 :])
        with pytest.raises(StorageError, match="damaged"):
            read_all(run)


def test_a_row_that_is_gone_is_missed(run: Path) -> None:
    with closing(sqlite3.connect(run / STORE_FILE)) as connection, connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("DELETE FROM trials WHERE trial_id = '0002'")
        for _, text in triggers:
            connection.execute(text)
    with pytest.raises(StorageError, match="damaged"):
        read_all(run)


def test_the_other_runs_stay_readable_and_the_damaged_one_is_told(run: Path) -> None:
    make_run(run.with_name("second"))
    (run / STORE_FILE).write_bytes((run / STORE_FILE).read_bytes()[:5000])
    told: list[str] = []
    assert [each.run_id for each in runs(run.parent, told.append)] == ["second"]
    (line,) = told
    assert "'first'" in line
    assert "tuner doctor" in line


@pytest.mark.parametrize("version", [0, -1, -SCHEMA_VERSION])
def test_a_version_that_does_not_exist_is_damage(run: Path, version: int) -> None:
    set_version(run / STORE_FILE, version)
    with pytest.raises(StorageError, match="damaged"):
        open_run(run)


@pytest.mark.parametrize(
    "statement",
    [
        f"CREATE VIEW endless AS {ENDLESS}",
        "CREATE TRIGGER spy AFTER UPDATE ON trials BEGIN DELETE FROM run; END",
        "CREATE TABLE more (column)",
        "ALTER TABLE trials ADD COLUMN note TEXT",
        "DROP TABLE rungs",
    ],
)
def test_tables_of_another_shape_are_refused(run: Path, statement: str) -> None:
    edit(run / STORE_FILE, statement)
    with pytest.raises(StorageError, match="damaged"):
        open_run(run)


def test_an_endless_view_in_the_place_of_a_table_is_refused(run: Path) -> None:
    edit(run / STORE_FILE, "DROP TABLE trials")
    edit(run / STORE_FILE, f"CREATE VIEW trials AS {ENDLESS}")
    with pytest.raises(StorageError, match="damaged"):
        open_run(run)


@pytest.mark.parametrize(
    "trial_id", ["../../../victim", "/victim", "", "0001/..", "0001\n", "\u0661", "1" * 10, "a", ".", ".."]
)
def test_an_id_that_is_no_number_is_refused_before_it_becomes_a_path(run: Path, trial_id: str) -> None:
    victim = run.parent.parent / "victim"
    victim.mkdir()
    (run / "checkpoints" / "0001").mkdir(parents=True)
    (run / "checkpoints" / "0001" / "best.npz").write_bytes(b"damaged")
    (victim / "best.npz").write_bytes(b"damaged")
    edit(run / STORE_FILE, f"UPDATE trials SET trial_id = '{trial_id}' WHERE trial_id = '0001'")
    (run / BACKUP_FILE).unlink()
    with pytest.raises(StorageError, match="damaged"):
        open_run(run)
    (finding,) = repair_run(run)
    assert finding.status == "damaged"
    assert (victim / "best.npz").is_file()
    assert (run / "checkpoints" / "0001").is_dir()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("direction", '"up"'),
        ("started_at", "17"),
        ("data", "[]"),
        ("data", '{"class_names": ["a"]}'),
        ("hyperparameters", '{"space": [{"class_name": "os.system", "config": {}}]}'),
        ("seed", "1e999"),
        ("seed", "-1"),
        ("config", "null"),
        ("versions", "[" * 5000 + "]" * 5000),
        ("status", "{"),
    ],
)
def test_a_fact_of_another_kind_is_refused(run: Path, name: str, value: str) -> None:
    edit(run / STORE_FILE, f"UPDATE run SET value = '{value}' WHERE key = '{name}'")
    with pytest.raises(StorageError, match="damaged"):
        open_run(run)


def test_a_fact_that_is_missing_is_refused(run: Path) -> None:
    edit(run / STORE_FILE, "DELETE FROM run WHERE key = 'config'")
    with pytest.raises(StorageError, match=r"damaged.*config"):
        open_run(run)


@pytest.mark.parametrize("values", ['{"units": [1]}', "[1]", '{"units": {"a": 1}}', "7", ""])
def test_hyperparameters_of_another_kind_are_refused(run: Path, values: str) -> None:
    edit(run / STORE_FILE, f"UPDATE trials SET hyperparameters = '{values}' WHERE trial_id = '0001'")
    with pytest.raises(StorageError, match="damaged"):
        open_run(run)


def test_a_request_that_is_none_is_refused_when_it_is_asked_for(run: Path) -> None:
    edit(run / STORE_FILE, """UPDATE run SET value = '{"max_trials": "many"}' WHERE key = 'config'""")
    with pytest.raises(StorageError, match=r"damaged.*max-trials"):
        _ = open_run(run).config


@pytest.mark.parametrize(
    "place", [STORE_FILE, f"{STORE_FILE}-wal", "best", "best/model.keras", "checkpoints/0001", "draft-x"]
)
def test_a_link_that_leads_out_of_the_run_is_refused(run: Path, tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    (run / place).parent.mkdir(exist_ok=True)
    (run / place).unlink(missing_ok=True)
    (run / place).symlink_to(victim)
    for command in (open_run, repair_run):
        with pytest.raises(StorageError, match="link"):
            command(run)
    assert (victim / "file").read_text() == "mine"


def test_a_pipe_in_the_place_of_a_file_is_refused(run: Path) -> None:
    os.mkfifo(run / "worker.log")
    with pytest.raises(StorageError, match="no plain file"):
        open_run(run)


def test_a_run_may_lie_behind_a_link(run: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").symlink_to(run)
    assert open_run(tmp_path / "shared").ranked[0].score == max(SCORES)


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let this process take folders for such that it may not write, as root may write all of them."""
    return lambda: monkeypatch.setattr(os, "access", lambda *_: False)


def test_a_reader_without_write_permission_sees_the_newest_events(
    run: Path, tmp_path: Path, read_only: Callable[[], None]
) -> None:
    with closing(Store(run / STORE_FILE)) as store:
        store.start_rung(record("0004"))
        epoch(store, "0004", 0, 1, {"val_accuracy": 0.9375}, 0.9375)
        store.finish_rung("0004", 0, COMPLETED, 10, 1.0)
        assert (run / f"{STORE_FILE}-wal").stat().st_size
        shutil.copytree(run, tmp_path / "copy")
    before = {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()}
    read_only()
    assert open_run(tmp_path / "copy").ranked[0].trial_id == "0004"
    assert {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()} == before


def test_doctor_touches_nothing_of_a_newer_version(run: Path) -> None:
    set_version(run / STORE_FILE, SCHEMA_VERSION + 1)
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(UnknownVersionError, match="newer"):
        repair_run(run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_newer_version_is_told_as_such_among_other_runs(run: Path) -> None:
    make_run(run.with_name("second"))
    set_version(run / STORE_FILE, SCHEMA_VERSION + 1)
    told: list[str] = []
    assert [each.run_id for each in runs(run.parent, told.append)] == ["second"]
    assert "newer" in told[0]
    assert "doctor" not in told[0]


def test_doctor_keeps_what_it_replaces_and_tells_how_to_go_back(run: Path) -> None:
    broken = (run / STORE_FILE).read_bytes()[:5000]
    for number in ("", "2-"):
        (run / STORE_FILE).write_bytes(broken)
        found = repair_run(run)[0]
        assert found.status == "repaired"
        assert "nothing is lost" in found.note
        assert f"damaged-{number}{STORE_FILE}" in found.note
        assert (run / f"damaged-{number}{STORE_FILE}").read_bytes() == broken
        assert open_run(run).ranked[0].score == max(SCORES)


def test_what_is_lost_with_the_store_of_a_run_under_way_is_told(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", status="running")
    (run / STORE_FILE).write_bytes(b"")
    found = repair_run(run)[0]
    assert "3 trials and 3 epochs" in found.note
    assert "lost" in found.note
    assert "tuner resume" in found.note


def test_a_damaged_backup_is_written_anew(run: Path) -> None:
    (run / BACKUP_FILE).write_bytes(b"damaged")
    findings = {finding.checked: finding.status for finding in repair_run(run)}
    assert findings[BACKUP_FILE] == "repaired"
    assert {finding.status for finding in repair_run(run)} == {"ok"}
