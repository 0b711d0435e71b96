"""Checks and repairs of the files of a run. Whatever is replaced is kept under another name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuner.config import make_config, to_toml
from tuner.errors import StorageError, UnknownVersionError
from tuner.files import DRAFT_PREFIX, is_draft, replace_text, replacing
from tuner.results.checked_json import FILES, read_checked, require_intact
from tuner.results.evaluation_file import read_evaluation
from tuner.results.run_facts import checked_facts
from tuner.results.run_folder import check_entries, run_folder
from tuner.results.schema import (
    BACKUP_FILE,
    BEST,
    COMPLETED,
    CONFIG_FILE,
    ENSEMBLE_PREFIX,
    EPOCHS_FILE,
    EVALUATION_FILE,
    FAILED,
    RETRAINED,
    ROBUSTNESS_FILE,
    RUN_FILE,
    RUN_RUNNING,
    STORE_FILE,
    SUMMARY_FILE,
    TRIALS_FILE,
)
from tuner.results.signature import is_signed
from tuner.results.store import Store
from tuner.results.tables import write_epochs, write_json, write_trials
from tuner.training.checkpoint import BEST_FILE, STATE_FILE, is_readable

_KEPT = "damaged-"


@dataclass(frozen=True)
class Finding:
    """Result of one check: `status` is ok, repaired, damaged or unchecked; `note` gives the details."""

    checked: str
    status: str
    note: str = ""


def repair_run(path: Path, trust: bool = False) -> list[Finding]:
    """Check all files of a run and repair them where possible. The caller holds the lock of the run.

    Args:
        trust: Whether to check checkpoints in a storage that a run of somebody else names.

    Raises:
        UnknownVersionError: another version made the run; nothing is touched.
        StorageError: a file cannot be written, or the folder leads out of itself; nothing is touched.
    """
    check_entries(path)
    store_finding = _repair_store(path / STORE_FILE)
    if store_finding.status == "damaged":
        return [store_finding]
    with closing(Store(path / STORE_FILE)) as store:
        return [
            store_finding,
            _drafts(path),
            *_repair_checkpoints(path, store, trust),
            _repair_tables(path, store),
            *_check_models(path),
            _back_up(path, store),
        ]


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
    saved = datetime.fromtimestamp(backup.stat().st_mtime, UTC)
    kept = _set_aside(path)
    for suffix in ("-wal", "-shm"):
        _set_aside(path.with_name(path.name + suffix))
    with replacing(path) as draft:
        shutil.copyfile(backup, draft)
    with closing(Store(path)) as store:
        status, trials = store.run()["status"], store.trials()
    lost = "nothing is lost"
    if status == RUN_RUNNING:
        lost = "what the run did after that is lost, and tuner resume does it again"
    return Finding(
        STORE_FILE,
        "repaired",
        f"{fault}; restored from {BACKUP_FILE} of {saved:%Y-%m-%d %H:%M:%S} UTC, with {len(trials)} trials "
        f"and {sum(trial.epochs for trial in trials)} epochs of a run that is {status}: {lost}."
        + (f" To go back, rename {kept.name} to {STORE_FILE}" if kept else ""),
    )


def _fault(path: Path) -> str | None:
    """Return the fault of a store, None if it has none.

    Raises:
        UnknownVersionError: another version made it.
    """
    try:
        with closing(Store(path)) as store:
            store.check()
            checked_facts(store.run(), path)
    except UnknownVersionError:
        raise
    except StorageError as error:
        return str(error).removeprefix(f"'{path}' is damaged: ").partition(". Repair")[0]
    return None


def _back_up(path: Path, store: Store) -> Finding:
    """Write the backup anew, from a store that is sound by now."""
    try:
        fault = _fault(path / BACKUP_FILE)
    except UnknownVersionError as error:
        fault = str(error)
    if fault is not None:
        _set_aside(path / BACKUP_FILE)
    store.back_up()
    if fault is None:
        return Finding(BACKUP_FILE, "ok")
    return Finding(BACKUP_FILE, "repaired", f"{fault}; written anew from the store")


def remove_drafts(path: Path) -> int:
    """Delete the unfinished files of killed processes in a run; return their number."""
    drafts = [draft for draft in path.rglob(f"{DRAFT_PREFIX}*") if is_draft(draft.name) and draft.is_file()]
    for draft in drafts:
        draft.unlink(missing_ok=True)
    return len(drafts)


def _drafts(path: Path) -> Finding:
    removed = remove_drafts(path)
    if not removed:
        return Finding("unfinished files", "ok")
    return Finding("unfinished files", "repaired", f"{removed} removed")


def _repair_checkpoints(path: Path, store: Store, trust: bool) -> list[Finding]:
    """Let trials with a damaged checkpoint start again, but for those that are over, whose scores stay.

    The repeated epochs will be the same, and do not count against the budget of the search.
    """
    findings, facts = [], store.run()
    config = make_config(facts["config"])
    if config.storage and not (trust or is_signed(facts)):
        why = f"not looked at: this run is not known as yours, and they are in '{config.storage}'"
        return [Finding("checkpoints", "unchecked", f"{why}; --trust checks and removes there")]
    run = run_folder(path, config)
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
        again = "where its weights are needed, it is trained again"
        if trial.status != COMPLETED:
            again = "tuner resume will train the trial again"
            store.restart(trial.trial_id, trial.batch_size)
            if (spent := store.run().get("spent_epochs")) is not None:
                store.set_run({"spent_epochs": spent - trial.epochs})
        findings.append(
            Finding(
                f"checkpoint of trial {trial.trial_id}",
                "repaired",
                f"{' and '.join(damaged)} damaged, and removed; {again}",
            )
        )
    return findings or [Finding("checkpoints", "ok")]


def _repair_tables(path: Path, store: Store) -> Finding:
    """Write the files that follow the store anew, and tell which of them differed from it.

    Those of a search that was killed are behind the store, which is no damage.
    """
    facts = store.run()
    writers: dict[str, Callable[[Path], None]] = {
        TRIALS_FILE: lambda file: write_trials(file, store.trials(), facts["objective"]),
        EPOCHS_FILE: lambda file: write_epochs(file, store.epochs()),
        RUN_FILE: lambda file: write_json(file, facts),
        CONFIG_FILE: lambda file: replace_text(file, to_toml(make_config(facts["config"]))),
    }
    differing = []
    for name, write in writers.items():
        file = path / name
        before = file.read_bytes() if file.is_file() else b""
        write(file)
        if file.read_bytes() != before and facts["status"] != RUN_RUNNING:
            differing.append(name)
            if before:
                _free_name(file).write_bytes(before)
    if not differing:
        return Finding("tables", "ok", "written anew from the store")
    return Finding("tables", "repaired", f"{', '.join(differing)} differed from the store; written anew")


def _check_models(path: Path) -> list[Finding]:
    """Check each model of a run with the files beside it. Damaged ones make way for new ones."""
    findings = [
        *_check_model(path, path / BEST, "tuner resume makes it again"),
        *_check_json(path, path / BEST / ROBUSTNESS_FILE, "tuner evaluate RUN --robustness makes it again"),
    ]
    if not findings:
        made = (path / BEST / EVALUATION_FILE).is_file()
        findings = [Finding("best model", "ok", "" if made else "none yet")]
    again = "tuner best --retrain or --ensemble makes it again"
    for evaluation in sorted(path.glob(f"{RETRAINED}/*/*/{EVALUATION_FILE}")):
        findings += _check_model(path, evaluation.parent, again)
    for evaluation in sorted(path.glob(f"{ENSEMBLE_PREFIX}*/{EVALUATION_FILE}")):
        findings += _check_model(path, evaluation.parent, again)
    return [*findings, *_check_json(path, path / RETRAINED / SUMMARY_FILE, again)]


def _check_model(run: Path, folder: Path, again: str) -> Iterator[Finding]:
    try:
        evaluation = read_evaluation(folder)
    except StorageError as error:
        yield _damaged(run, folder / EVALUATION_FILE, str(error), again)
        return
    if evaluation is None:
        if any(folder.glob("*")):
            yield Finding(_within(run, folder), "damaged", f"{EVALUATION_FILE} is missing; {again}")
        return
    broken = []
    for name in evaluation.get(FILES, {}):
        try:
            require_intact(folder / name, evaluation)
        except StorageError as error:
            broken.append(_damaged(run, folder / name, str(error), again))
    yield from broken
    if broken and folder.name != BEST:
        # Else it would be taken for finished.
        _set_aside(folder / EVALUATION_FILE)


def _check_json(run: Path, path: Path, again: str) -> Iterator[Finding]:
    if not path.is_file():
        return
    try:
        read_checked(path)
    except StorageError as error:
        yield _damaged(run, path, str(error), again)


def _damaged(run: Path, path: Path, fault: str, again: str) -> Finding:
    kept = _set_aside(path)
    how = fault.removeprefix(f"'{path}' is damaged: ").partition(". Repair")[0]
    where = f"; it is kept as {kept.name}" if kept else ""
    return Finding(_within(run, path), "damaged", f"{how}; {again}{where}")


def _within(run: Path, path: Path) -> str:
    return path.relative_to(run).as_posix()


def _set_aside(path: Path) -> Path | None:
    """Rename a file, so that nothing is lost with it; return its new path, None if there is no file."""
    if not path.is_file():
        return None
    kept = _free_name(path)
    path.rename(kept)
    return kept


def _free_name(path: Path) -> Path:
    """Return the path under which a file is kept: damaged-NAME, then damaged-2-NAME and so on."""
    numbers = ("", *(f"{number}-" for number in range(2, 1000)))
    return next(
        kept for each in numbers if not (kept := path.with_name(f"{_KEPT}{each}{path.name}")).exists()
    )
