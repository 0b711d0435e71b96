"""What a stranger could put into the folder of a run: each attack changes a sound one.

An attack is a function of the folder of the run and of the victim, who has files that nobody may touch.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tuner.results.checked_json import FILES, read_checked, write_checked
from tuner.results.schema import (
    CHECKPOINTS,
    FAILED,
    STORE_FILE,
)
from tuner.results.store_file import connect
from tuner.training.checkpoint import BEST_FILE, STATE_FILE

Attack = Callable[[Path, Path], None]

# The trial to change, which is not the best; and the best, which was trained anew.
TRIAL, WINNER = "0003", "0002"
# What a space's module does when it is imported; {} is a file of the victim.
WITNESS = "from pathlib import Path\nPath({!r}).touch()\n\ndef build(hp, spec):\n    raise ValueError\n"


def write_victim(folder: Path) -> None:
    """Make the folder of somebody else; among its files those of a checkpoint, which are not readable."""
    for name in (
        "trial",
        "checkpoints/trial",
        f"hostile/checkpoints/{WINNER}",
        f"hostile/checkpoints/{TRIAL}",
    ):
        (folder / name).mkdir(parents=True)
        for file in (STATE_FILE, BEST_FILE, "secret.txt"):
            (folder / name / file).write_text("of the victim", encoding="utf-8")
    (folder / "secret.txt").write_text("of the victim", encoding="utf-8")


def edit_store(run: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Change the store as its own code would, so that its checksums are right and its contents are not."""
    with closing(connect(run / STORE_FILE)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement, values in statements:
            connection.execute(statement, values)


def fail_trial(run: Path) -> None:
    """Let a trial have failed, so that a retry has work to do."""
    edit_store(run, ("UPDATE trials SET status = ?, error = 'crash: x' WHERE trial_id = ?", (FAILED, TRIAL)))


def id_attack(run: Path, victim: Path, trial_id: object, status: str = FAILED) -> None:
    """Give a trial another id. {victim} in it is their folder, {up} the way there from a checkpoint."""
    if isinstance(trial_id, str):
        up = os.path.relpath(victim, run / CHECKPOINTS)
        trial_id = trial_id.replace("{victim}", str(victim)).replace("{up}", up)
    edit_store(
        run,
        *(
            (f"UPDATE {table} SET trial_id = ? WHERE trial_id = ?", (trial_id, TRIAL))
            for table in ("trials", "rungs", "epochs", "costs")
        ),
        ("UPDATE trials SET status = ?, error = 'crash: x' WHERE trial_id IS ?", (status, trial_id)),
    )


def text_attack(run: Path, _victim: Path, key: str, text: str) -> None:
    """Give a fact of the run another text, which may be no JSON."""
    edit_store(run, ("INSERT OR REPLACE INTO run (key, value) VALUES (?, ?)", (key, text)))


def fact_attack(run: Path, victim: Path, where: str, value: Any) -> None:
    """Give a fact, or a part of it such as config.space, another value; {victim} in it is their folder."""
    key, *parts = where.split(".")
    with closing(sqlite3.connect(run / STORE_FILE)) as connection:
        facts = {name: json.loads(text) for name, text in connection.execute("SELECT key, value FROM run")}
    holder, names = facts, [key, *parts]
    for name in names[:-1]:
        holder = holder[name]
    holder[names[-1]] = json.loads(json.dumps(value).replace("{victim}", str(victim)))
    text_attack(run, victim, key, json.dumps(facts[key]))


def missing_fact_attack(run: Path, _victim: Path, key: str) -> None:
    edit_store(run, ("DELETE FROM run WHERE key = ?", (key,)))


def column_attack(run: Path, _victim: Path, column: str, value: object, table: str = "trials") -> None:
    """Give a column of a trial, or of one of its epochs, another value."""
    one = "" if table == "trials" else "AND metric = 'loss'"
    edit_store(run, (f"UPDATE {table} SET {column} = ? WHERE trial_id = ? {one}", (value, TRIAL)))


def code_attack(run: Path, victim: Path, space: str) -> None:
    """Let the run be of a space whose code tells that it was executed."""
    for folder in (run, victim, run.parent.parent):
        (folder / "evil.py").write_text(WITNESS.format(str(victim / "witness")), encoding="utf-8")
    space = space.replace("{run}", str(run)).replace("{victim}", str(victim))
    fact_attack(run, victim, "config.space", space)
    fact_attack(run, victim, "space", space)
    fail_trial(run)


def schema_attack(run: Path, _victim: Path, *statements: str) -> None:
    with closing(connect(run / STORE_FILE)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def link_attack(run: Path, victim: Path, name: str) -> None:
    """Replace a file or folder by a link to one of the victim with the same contents."""
    fail_trial(run)
    path, target = run / name, victim / "linked" / name
    target.parent.mkdir(parents=True)
    if path.exists():
        path.rename(target)
    elif not path.suffix and name != "draft-file":
        target.mkdir()
        (target / "secret.txt").write_text("of the victim", encoding="utf-8")
    else:
        target.write_text("of the victim", encoding="utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def special_attack(run: Path, _victim: Path, name: str, device: bool = False) -> None:
    """Put a pipe that nobody writes to in the place of a file, or the device that never ends."""
    (run / name).unlink(missing_ok=True)
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    if device:
        os.mknod(run / name, 0o20666, os.makedev(1, 5))
    else:
        os.mkfifo(run / name)


def contents_attack(run: Path, _victim: Path, name: str, text: str) -> None:
    (run / name).write_text(text, encoding="utf-8", errors="surrogatepass")


def part_attack(run: Path, victim: Path, name: str, where: str, value: Any) -> None:
    """Give a part of a JSON file another value, and the file the checksum that goes with it."""
    whole = read_checked(run / name)
    holder: Any = whole
    *names, last = [int(part) if part.isdecimal() else part for part in where.split(".")]
    for part in names:
        holder = holder[part]
    holder[last] = json.loads(json.dumps(value).replace("{victim}", str(victim)))
    write_checked(run / name, whole, whole.get(FILES, ()))
