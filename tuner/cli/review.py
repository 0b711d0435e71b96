"""The end of a search: leaderboard, the winner on the test split, and what to type next."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tuner.cli.leaderboard import TOP, print_leaderboard
from tuner.cli.output import note, stdout
from tuner.errors import TunerError
from tuner.results.query import RunView
from tuner.results.schema import BEST, CONFUSION_FILE, CURVES_FILE, EVALUATION_FILE, TRIALS_FILE


def load_evaluation(run: RunView) -> dict[str, Any]:
    """Return what best/evaluation.json holds.

    Raises:
        TunerError: the run has not come so far.
    """
    path = run.path / BEST / EVALUATION_FILE
    if not path.is_file():
        raise TunerError(
            f"run '{run.run_id}' ({run.facts['status']}) has no evaluated winner yet. "
            f"Finish it with: tuner resume {run.run_id}"
        )
    evaluation: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return evaluation


def print_review(run: RunView) -> None:
    """Print leaderboard, test figures and confusion matrix to stdout, and the next commands to stderr."""
    console = stdout()
    evaluation = load_evaluation(run)
    print_leaderboard(run, TOP, console)
    console.print()
    console.print(evaluation_view(evaluation))
    note(f"\nReview     {run.path / TRIALS_FILE}")
    note(f"Pictures   {run.path / BEST / CONFUSION_FILE}, {CURVES_FILE}")
    note(f"Next       tuner best {run.run_id} --export model.keras")


def evaluation_view(evaluation: dict[str, Any]) -> Group:
    """Test accuracy with its interval, figures per class, and the confusion matrix."""
    low, high = evaluation["accuracy_interval_95"]
    headline = Text.assemble(
        (f"Test split, trial {evaluation['trial_id']}\n", "bold"),
        "accuracy ",
        (f"{evaluation['accuracy']:.2%}", "bold green"),
        f"  [{low:.2%}, {high:.2%}] at 95 %",
    )
    if "auroc" in evaluation:
        headline.append(f", AUROC {evaluation['auroc']:.4f}")
        headline.append(f" (positive class {evaluation['positive_class']})")
    headline.append(f", {evaluation['images']:,} images")
    return Group(headline, "", _class_table(evaluation), "", _confusion_table(evaluation))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i == 0 else "right")
    return table


def _class_table(evaluation: dict[str, Any]) -> Table:
    table = _table("class", "precision", "recall", "F1", "images")
    for name, figures in evaluation["classes"].items():
        shares = (f"{figures[key]:.4f}" for key in ("precision", "recall", "f1"))
        table.add_row(name, *shares, f"{figures['images']:,}")
    return table


def _confusion_table(evaluation: dict[str, Any]) -> Table:
    names = evaluation["class_names"]
    table = _table("true \\ predicted", *names)
    for row, (name, counts) in enumerate(zip(names, evaluation["confusion_matrix"], strict=True)):
        total = max(sum(counts), 1)
        cells = (
            Text(f"{count:,} ({count / total:.1%})", style="green" if column == row else "")
            for column, count in enumerate(counts)
        )
        table.add_row(name, *cells)
    return table
