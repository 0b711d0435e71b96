"""How a search ends: its outcome, or the failures that stop it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tuner.config import SearchConfig
from tuner.results.query import reference
from tuner.results.run_folder import RunFolder
from tuner.results.schema import ERRORS, FAILED, RUNNING, TrialRecord
from tuner.tuning.budget import Budget
from tuner.tuning.oracles.planned import PlannedOracle


@dataclass(frozen=True)
class Outcome:
    """A status: completed, space exhausted, out of time, or out of epochs; `note` says more.

    `lacking` is the reason why the winner cannot be evaluated: the time ran out before it had weights. It is
    empty where the winner has them.
    """

    status: str
    note: str = ""
    lacking: str = ""


def outcome_of(
    config: SearchConfig, budget: Budget, oracle: PlannedOracle, begun: int, lacking: str
) -> Outcome:
    """Return the outcome of a search that ends after `begun` trials."""
    # A budget that ended with the plan cut nothing off; the trial asked for here is never begun.
    if budget.exceeded and (lacking or oracle.create_trial("worker-0").status == RUNNING):
        status = f"out of {budget.exceeded}"
        return Outcome(status, f"{status}, {begun} of {config.max_trials} trials begun", lacking)
    if oracle.exhausted or oracle.plan.trials < config.max_trials:
        return Outcome(
            "space exhausted", f"space exhausted, {begun} of {begun}: there are no more configurations"
        )
    return Outcome("completed")


def too_many(trials: Iterable[TrialRecord], in_a_row: int, rung: int, folder: RunFolder) -> str:
    """Return the error of a search that stops after `in_a_row` failures in a rung, and what to do."""
    failed = [trial for trial in trials if trial.status == FAILED]
    last = failed[-1].error.rstrip(".")
    if in_a_row == 1:
        trial_id = failed[-1].trial_id
        return (
            f"trial {trial_id} failed, {last}. Change what it says, or run it again with: "
            f"tuner retry {reference(folder.path)}"
        )
    reasons = Counter(trial.error.partition(":")[0] for trial in failed)
    counted = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
    where = f" in rung {rung}" if rung else ""
    return (
        f"{in_a_row} trials in a row failed{where} ({counted}); the last: {last}. "
        f"See '{folder.path / ERRORS}', allow more with --max-failures, or run them again with: "
        f"tuner retry {reference(folder.path)}"
    )
