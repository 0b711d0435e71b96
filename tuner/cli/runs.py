"""`tuner runs`: what was searched."""

from __future__ import annotations

from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, ResultsDirOption
from tuner.cli.output import note, show
from tuner.results import query
from tuner.results.tables import rows_table

COLUMNS = (
    "run_id",
    "status",
    "algorithm",
    "trials",
    "objective",
    "best_score",
    "space",
    "dataset",
    "started_at",
)
# The run id tells the rest to a person.
SHOWN = COLUMNS[:6]


def runs(form: FormatOption = "table", results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR) -> None:
    """List runs, the last begun at the end."""
    found = query.runs(results_dir, note)
    if not found and form == "table":
        note(f"No runs in '{results_dir}' yet. Start one with: tuner search")
        return
    rows = (
        run.facts
        | {
            "run_id": run.run_id,
            "trials": len(run.trials),
            "best_score": run.ranked[0].score if run.ranked else None,
        }
        for run in found
    )
    show(rows_table(rows, SHOWN if form == "table" else COLUMNS), form)
