"""`tuner best --ensemble`: the mean of the best trials, beside the best alone."""

from __future__ import annotations

from rich.console import Group, RenderableType

from tuner.cli.evaluation_view import evaluation_view
from tuner.cli.output import make_table
from tuner.cli.terminal import Text
from tuner.models.run_model import RunModel
from tuner.results.tables import rows_table


def ensemble_view(model: RunModel) -> RenderableType:
    """Members, figures on the test split, and what the test against the best of them alone says."""
    objective = model.run.facts["objective"]
    rows = [
        {"trial": trial.trial_id, objective: trial.score, "parameters": trial.num_params}
        for trial in model.trials
    ]
    comparison = model.evaluation["comparison"]
    low, high = comparison["accuracy_interval_95"]
    single = f"{comparison['other']} alone  {comparison['accuracy']:.2%}  [{low:.2%}, {high:.2%}] at 95 %"
    return Group(
        make_table(rows_table(rows)),
        "",
        evaluation_view(model.evaluation, f"Test split, mean of {len(model.trials)} trials"),
        "",
        Text(single),
        Text(comparison["conclusion"], "bold"),
    )
