"""How a search ended."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.config import SearchConfig
from tuner.results.schema import RUNNING
from tuner.tuning.budget import Budget
from tuner.tuning.oracles.planned import PlannedOracle


@dataclass(frozen=True)
class Outcome:
    """A status: completed, space exhausted, out of time, or out of epochs; `note` says more.

    `lacking` says why the winner cannot be evaluated, where the time ran out before it had weights; else it
    is empty.
    """

    status: str
    note: str = ""
    lacking: str = ""


def outcome_of(
    config: SearchConfig, budget: Budget, oracle: PlannedOracle, begun: int, lacking: str
) -> Outcome:
    """Return the outcome of a search that has begun so many trials and begins no more."""
    # A budget that ended with the plan cut nothing off; the trial asked for here is never begun.
    if budget.exceeded and (lacking or oracle.create_trial("worker-0").status == RUNNING):
        status = f"out of {budget.exceeded}"
        return Outcome(status, f"{status}, {begun} of {config.max_trials} trials begun", lacking)
    if oracle.exhausted or oracle.plan.trials < config.max_trials:
        return Outcome(
            "space exhausted", f"space exhausted, {begun} of {begun}: there are no more configurations"
        )
    return Outcome("completed")
