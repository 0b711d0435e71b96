"""What `tuner search`, `train`, `resume` and `retry` share: a Session of tuner/tuning, shown and reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.cli.review import print_review
from tuner.cli.session_display import session_display
from tuner.config import SearchConfig, make_config
from tuner.data.dataset import Dataset
from tuner.results.query import RunView
from tuner.tuning.session import Session
from tuner.tuning.trusted_run import TrustedRun
from tuner.workers.protocol import Pool


def preview(config: SearchConfig) -> None:
    """Show the plan of a search and train nothing."""
    with session_display() as listener:
        Session(config, listener, _evaluate).preview()


def run_search(config: SearchConfig) -> None:
    """Run a search from its beginning to the review of its winner."""
    with session_display() as listener:
        run = Session(config, listener, _evaluate).start()
    print_review(run)


def resume_search(
    run: TrustedRun, changes: Mapping[str, Any], accept_changed_code: bool, retry: bool
) -> None:
    """Take up a run where it stands, to the review of its winner.

    Args:
        changes: Fields of the request to replace, with their values as a user types them.
    """
    config = make_config({**run.facts["config"], **changes})
    with session_display() as listener:
        session = Session(config, listener, _evaluate)
        finished = session.resume(run, accept_changed_code=accept_changed_code, retry=retry)
    print_review(finished)


def _evaluate(run: RunView, dataset: Dataset, pool: Pool) -> None:
    # matplotlib and scikit-learn, which no search needs before its end.
    from tuner.evaluation.winner import evaluate_winner

    evaluate_winner(run, dataset, pool)
