"""Finding runs, reading them back, and ranking their trials."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from tuner.config import SearchConfig, make_config
from tuner.errors import StorageError, TunerError, UsageError
from tuner.results.checked_json import require_intact
from tuner.results.evaluation_file import read_evaluation
from tuner.results.lock import is_abandoned
from tuner.results.run_facts import check_facts
from tuner.results.run_folder import RunFolder, check_entries, run_folder
from tuner.results.schema import (
    BACKUP_FILE,
    BEST,
    COMPLETED,
    FAILED,
    INTERRUPTED,
    RUN_RUNNING,
    STORE_FILE,
    TrialRecord,
)
from tuner.results.store import Store
from tuner.results.store_file import damaged
from tuner.statistics.confusion import MANY_CLASSES
from tuner.training.checkpoint import History

Tell = Callable[[str], None]


def _nobody(_: str) -> None:
    """Keep a sentence to oneself."""


@dataclass(frozen=True)
class RunView:
    """The present content of the store of a run."""

    path: Path
    facts: dict[str, Any]
    trials: tuple[TrialRecord, ...]

    @property
    def run_id(self) -> str:
        return self.path.name

    @cached_property
    def config(self) -> SearchConfig:
        """The request of the run.

        Raises:
            StorageError: it is none.
        """
        try:
            return make_config(self.facts["config"])
        except UsageError as error:
            raise damaged(self.path / STORE_FILE, f"its request is none: {error}") from None

    @property
    def folder(self) -> RunFolder:
        """Where its files are."""
        return run_folder(self.path, self.config)

    @cached_property
    def evaluation(self) -> dict[str, Any] | None:
        """The content of best/evaluation.json; None before the winner is evaluated.

        Raises:
            StorageError: the file is damaged.
        """
        return read_evaluation(self.path / BEST)

    def evaluated_file(self, name: str) -> Path:
        """Return the path of a file in best/, which is the one that this evaluation describes.

        Raises:
            StorageError: it is missing or damaged.
        """
        return require_intact(self.path / BEST / name, self.evaluation or {})

    @property
    def evaluated_trial(self) -> TrialRecord | None:
        """The trial of this evaluation; after `tuner resume` another may be the best."""
        tested = (self.evaluation or {}).get("trial_id")
        return next((trial for trial in self.trials if trial.trial_id == tested), None)

    @property
    def images_by_class(self) -> dict[str, list[int]]:
        """Numbers of images of each split, by class and under "all N" of all; of many classes this alone."""
        data = self.facts["data"]
        names, counts = data["class_names"], data["counts"].values()
        by_class = {name: [each.get(name, 0) for each in counts] for name in names}
        total = {f"all {len(names):,}": [sum(each.values()) for each in counts]}
        return total if len(names) >= MANY_CLASSES else by_class | total

    @property
    def ranked(self) -> list[TrialRecord]:
        """Trials with a score, the best first."""
        return rank(self.trials, self.facts["direction"])


def reference(path: Path) -> str:
    """Return the argument of a command for a run: its name if it is in ./results, else its folder."""
    return path.name if path.parent == Path("results") else str(path)


def rank(trials: Sequence[TrialRecord], direction: str) -> list[TrialRecord]:
    """Return the trials with a score that did not fail, the best first; of equals, the earlier first."""
    sign = -1 if direction == "max" else 1
    scored = [trial for trial in trials if trial.score is not None and trial.status != FAILED]
    return sorted(scored, key=lambda trial: (sign * (trial.score or 0.0), int(trial.trial_id)))


def common_values(configurations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the hyperparameters that have one value in all configurations."""
    return {
        name: value
        for name, value in (configurations[0] if configurations else {}).items()
        if all(name in each and each[name] == value for each in configurations)
    }


def runs(results_dir: Path, tell: Tell = _nobody) -> list[RunView]:
    """Return the readable runs in a folder in the order of their start.

    Args:
        tell: Called with a sentence on each run that cannot be read.
    """
    found = []
    for path in _folders(results_dir):
        try:
            found.append(open_run(path))
        except StorageError as error:
            tell(f"Run '{path.name}' is left out: {error}")
    return sorted(found, key=lambda run: (run.facts["started_at"], run.run_id))


def find_run(reference: str | None, results_dir: Path, tell: Tell = _nobody) -> RunView:
    """Return a run by its id or path; without either, the run that started last.

    Args:
        tell: Called with a sentence on each run that cannot be read, where all are looked at.

    Raises:
        UsageError: no such run exists, or no run at all.
        StorageError: the run cannot be read.
    """
    named = _named(reference, results_dir)
    if named is not None:
        return open_run(named)
    found = runs(results_dir, tell)
    if not found:
        raise UsageError(f"no runs in '{results_dir}'. Start one with: tuner search")
    if reference is None:
        return found[-1]
    close = get_close_matches(reference, [run.run_id for run in found], n=1, cutoff=0.4)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise UsageError(f"no run '{reference}' in '{results_dir}'.{hint} List them with: tuner runs")


def find_folder(reference: str | None, results_dir: Path, tell: Tell = _nobody) -> Path:
    """Return the folder of a run, which may be damaged; by default that of the run changed last.

    Args:
        tell: As for `find_run`.

    Raises:
        UsageError: no such run exists, or no run at all.
    """
    if reference is None:
        folders = _folders(results_dir)
        if not folders:
            raise UsageError(f"no runs in '{results_dir}'. Start one with: tuner search")
        return max(folders, key=lambda path: path.stat().st_mtime)
    return _named(reference, results_dir) or find_run(reference, results_dir, tell).path


def _named(reference: str | None, results_dir: Path) -> Path | None:
    """Return the folder of the run with this path or id, None if no such run exists."""
    candidates = (Path(reference), results_dir / reference) if reference is not None else ()
    found = next((path for path in candidates if _is_run(path)), None)
    # "." and ".." are not names of runs.
    return found.resolve() if found is not None and found.name in ("", "..") else found


def _folders(results_dir: Path) -> list[Path]:
    return sorted(path for path in results_dir.iterdir() if _is_run(path)) if results_dir.is_dir() else []


def _is_run(path: Path) -> bool:
    # Unlike those of pathlib, this has no error for the folder of another user.
    return any(os.path.isfile(path / name) for name in (STORE_FILE, BACKUP_FILE))  # noqa: PTH113


def open_run(path: Path) -> RunView:
    """Read a run. A running one without a process that works on it counts as interrupted.

    Raises:
        UnknownVersionError: another version made it.
        StorageError: its store is missing or damaged, or the folder leads out of itself.
    """
    check_entries(path)
    with closing(Store(path / STORE_FILE)) as store:
        facts, trials = store.run(), tuple(store.trials())
    check_facts(facts, path / STORE_FILE)
    if facts.get("status") == RUN_RUNNING and is_abandoned(path):
        facts = {**facts, "status": INTERRUPTED}
    return RunView(path, facts, trials)


def trial_history(run: RunView, trial_id: str) -> History:
    """Return the finished epochs of a trial in order."""
    with closing(Store(run.path / STORE_FILE)) as store:
        return store.history(trial_id)


def winner(run: RunView) -> TrialRecord:
    """Return the best trial.

    Raises:
        TunerError: no trial has a score.
    """
    if not run.ranked:
        failed = sum(trial.status == FAILED for trial in run.trials)
        done = sum(trial.status == COMPLETED for trial in run.trials)
        raise TunerError(
            f"run '{run.run_id}' has no scored trial: {done} completed, {failed} failed. See its errors."
        )
    return run.ranked[0]
