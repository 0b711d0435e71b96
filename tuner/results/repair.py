"""Checks and repairs of the files of a run."""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tuner.config import make_config
from tuner.errors import StorageError
from tuner.files import DRAFT_PREFIX, replacing
from tuner.results.run_folder import run_folder
from tuner.results.schema import (
    BACKUP_FILE,
    BEST,
    EPOCHS_FILE,
    EVALUATION_FILE,
    FAILED,
    MODEL_FILE,
    RUN_FILE,
    STORE_FILE,
    TRIALS_FILE,
)
from tuner.results.store import Store
from tuner.results.tables import write_epochs, write_json, write_trials
from tuner.training.checkpoint import BEST_FILE, STATE_FILE, is_readable


@dataclass(frozen=True)
class Finding:
    """Result of one check: `status` is 'ok', 'repaired' or 'damaged'; `note` gives the details."""

    checked: str
    status: str
    note: str = ""


def repair_run(path: Path) -> list[Finding]:
    """Check all files of a run and repair them where possible. The caller holds the lock of the run.

    Raises:
        StorageError: a file cannot be written.
    """
    store_finding = _repair_store(path / STORE_FILE)
    if store_finding.status == "damaged":
        return [store_finding]
    with closing(Store(path / STORE_FILE)) as store:
        findings = [
            store_finding,
            _drafts(path),
            *_repair_checkpoints(path, store),
            _rewrite_tables(path, store),
            _check_best(path),
        ]
        store.back_up()
    return findings


def _repair_store(path: Path) -> Finding:
    fault = _fault(path)
    if fault is None:
        return Finding(STORE_FILE, "ok")
    backup = path.with_name(BACKUP_FILE)
    if _fault(backup) is not None:
        return Finding(
            STORE_FILE,
            "damaged",
            f"{fault}; and there is no sound {BACKUP_FILE}. What {TRIALS_FILE} holds can start a new search: "
            f"tuner search --warm-start {path.with_name(TRIALS_FILE)}",
        )
    for suffix in ("", "-wal", "-shm"):
        damaged = path.with_name(path.name + suffix)
        if damaged.exists():
            damaged.replace(path.with_name(f"damaged-{damaged.name}"))
    with replacing(path) as draft:
        shutil.copyfile(backup, draft)
    return Finding(
        STORE_FILE, "repaired", f"{fault}; restored from {BACKUP_FILE}, the old file is damaged-{STORE_FILE}"
    )


def _fault(path: Path) -> str | None:
    """Return the fault of a store, None if it has none."""
    if not path.is_file():
        return "it is missing"
    try:
        with closing(Store(path)) as store:
            verdict = str(store.rows("PRAGMA integrity_check(1)")[0][0])
    except StorageError as error:
        return str(error).removeprefix(f"'{path}' is damaged: ").partition(". Repair")[0]
    return None if verdict == "ok" else verdict


def remove_drafts(path: Path) -> int:
    """Delete the unfinished files of killed processes in a run; return their number."""
    drafts = [draft for draft in path.rglob(f"{DRAFT_PREFIX}*") if draft.is_file()]
    for draft in drafts:
        draft.unlink(missing_ok=True)
    return len(drafts)


def _drafts(path: Path) -> Finding:
    removed = remove_drafts(path)
    if not removed:
        return Finding("unfinished files", "ok")
    return Finding("unfinished files", "repaired", f"{removed} removed")


def _repair_checkpoints(path: Path, store: Store) -> list[Finding]:
    """Let trials with a damaged checkpoint start again; their results will be the same."""
    findings = []
    run = run_folder(path, make_config(store.run()["config"]))
    for trial in store.trials():
        folder = run.checkpoints / trial.trial_id
        damaged = [
            name
            for name in (STATE_FILE, BEST_FILE)
            if (folder / name).exists() and not is_readable(folder / name)
        ]
        if not damaged or trial.status == FAILED:
            continue
        run.remove_checkpoint(trial.trial_id)
        store.restart(trial.trial_id, trial.batch_size)
        # The repeated epochs do not count against the budget of the search.
        if (spent := store.run().get("spent_epochs")) is not None:
            store.set_run({"spent_epochs": spent - trial.epochs})
        findings.append(
            Finding(
                f"checkpoint of trial {trial.trial_id}",
                "repaired",
                f"{' and '.join(damaged)} damaged; tuner resume will train the trial again",
            )
        )
    return findings or [Finding("checkpoints", "ok")]


def _rewrite_tables(path: Path, store: Store) -> Finding:
    facts = store.run()
    write_trials(path / TRIALS_FILE, store.trials(), facts["objective"])
    write_epochs(path / EPOCHS_FILE, store.epochs())
    write_json(path / RUN_FILE, facts)
    return Finding("tables", "ok", "written anew from the store")


def _check_best(path: Path) -> Finding:
    missing = [
        name
        for name in (MODEL_FILE, EVALUATION_FILE)
        if not (path / BEST / name).is_file() or not (path / BEST / name).stat().st_size
    ]
    if (path / BEST).is_dir() and missing:
        return Finding(
            "best model", "damaged", f"{', '.join(missing)} missing; tuner resume makes them again"
        )
    return Finding("best model", "ok", "" if (path / BEST).is_dir() else "none yet")
