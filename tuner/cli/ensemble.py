"""`tuner best --ensemble`: the mean of the best trials, beside the best alone."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from tuner.cli.evaluation_view import evaluation_view
from tuner.cli.output import make_table
from tuner.cli.progress import progress_bar, waiting
from tuner.cli.session_display import session_display
from tuner.errors import TunerError
from tuner.evaluation.ensemble import ensemble_before, ensemble_folder, ensemble_members, make_ensemble
from tuner.evaluation.run_images import run_images
from tuner.models.run_model import RunModel
from tuner.results.query import RunView, reference
from tuner.results.tables import rows_table


def ensemble_model(
    run: RunView, count: int, winner_id: str, data: str | None, accept_changed_code: bool
) -> RunModel:
    """Return the mean of the best trials, which is made once.

    Args:
        winner_id: The trial in best/, with which it is compared.
        data: Where the images of the run are now; default: where they were.
        accept_changed_code: Put the weights into models of other code than the run was begun with.
    """
    members = ensemble_members(run, count)
    if members[0].trial_id != winner_id:
        raise TunerError(
            f"the best trial of run '{run.run_id}' is {members[0].trial_id} by now, and the one evaluated is "
            f"{winner_id}. Finish the run with: tuner resume {reference(run.path)}"
        )
    evaluation = ensemble_before(run, members)
    if evaluation is None:
        from tuner.tuning.workers import workers_again

        with progress_bar("decoding images") as advance:
            dataset = run_images(run, data, advance)
        with (
            session_display() as listener,
            workers_again(run, dataset, accept_changed_code, "ensemble", listener) as pool,
            waiting(f"averaging {count} models"),
        ):
            evaluation = make_ensemble(run, members, dataset, pool)
    return RunModel(run, members, evaluation, ensemble_folder(count))


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
