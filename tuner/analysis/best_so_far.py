"""How a search came by its best score: by the trials it had begun, and by the seconds it had taken."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.results.query import RunView
from tuner.results.schema import FAILED
from tuner.results.timeline import timed_epochs


@dataclass(frozen=True)
class Step:
    """The best score when so many trials had been begun, and so many seconds had gone by."""

    trials: int
    seconds: float
    score: float


def best_so_far(run: RunView) -> tuple[Step, ...]:
    """Return a step for each epoch that ended, in the order of time; none where that was not recorded.

    Trials that failed count as begun, and their scores do not.

    Raises:
        StorageError: the store of the run is missing or damaged.
    """
    if "objective" not in run.facts:
        return ()
    epochs = timed_epochs(run.path, run.facts["objective"])
    if any(epoch.spent_s is None for epoch in epochs):
        return ()
    failed = {trial.trial_id for trial in run.trials if trial.status == FAILED}
    better = max if run.facts["direction"] == "max" else min
    begun: set[str] = set()
    best: float | None = None
    steps = []
    for spent_s, epoch in sorted(((e.spent_s or 0.0, e) for e in epochs), key=lambda timed: timed[0]):
        begun.add(epoch.trial_id)
        if epoch.trial_id not in failed:
            best = epoch.value if best is None else better(best, epoch.value)
        if best is not None:
            steps.append(Step(len(begun), spent_s, best))
    return tuple(steps)


def score_after(
    steps: tuple[Step, ...], trials: float = float("inf"), seconds: float = float("inf")
) -> float | None:
    """Return the best score within so many trials and seconds, None where there is none yet."""
    return next((s.score for s in reversed(steps) if s.trials <= trials and s.seconds <= seconds), None)


def checkpoints(most: float, count: int) -> list[float]:
    """Return `most`, its half, its quarter, ..., in ascending order."""
    return [most / 2**i for i in reversed(range(count))]
