"""The end of a search: leaderboard, the winner on the test split, and what to type next."""

from __future__ import annotations

from typing import Any

from tuner.cli.evaluation_view import evaluation_view
from tuner.cli.leaderboard import TOP, print_leaderboard
from tuner.cli.output import say, stdout
from tuner.errors import TunerError
from tuner.evaluation.plot_names import font_note
from tuner.results.query import RunView, reference
from tuner.results.schema import BEST, CONFUSION_FILE, CURVES_FILE, TRIALS_FILE


def load_evaluation(run: RunView) -> dict[str, Any]:
    """Return what best/evaluation.json holds.

    Raises:
        TunerError: the run has not come so far.
    """
    if run.evaluation is None:
        raise TunerError(
            f"run '{run.run_id}' ({run.facts['status']}) has no evaluated winner yet. "
            f"Finish it with: tuner resume {reference(run.path)}"
        )
    return run.evaluation


def test_title(evaluation: dict[str, Any]) -> str:
    """Return of what the figures of a winner are."""
    return f"Test split, trial {evaluation['trial_id']}"


def print_review(run: RunView) -> None:
    """Print leaderboard, test figures and confusion matrix to stdout, and the next commands to stderr."""
    console = stdout()
    evaluation = load_evaluation(run)
    print_leaderboard(run, TOP, console)
    console.print()
    console.print(evaluation_view(evaluation, test_title(evaluation)))
    say(f"\nReview     {run.path / TRIALS_FILE}")
    say(f"Pictures   {run.path / BEST / CONFUSION_FILE}, {CURVES_FILE}")
    if missing := font_note(evaluation["class_names"]):
        say(f"Fonts      {missing}")
    say(f"Next       tuner best {reference(run.path)} --export model.keras")
