"""The mean of the best trials of a run as one model, compared with the best trial alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from tuner.data.dataset import Dataset
from tuner.errors import TunerError
from tuner.evaluation.evaluated_predictions import compare_predictions, correct_in_order
from tuner.evaluation.finished_model import finish_model
from tuner.evaluation.predictions import read_predictions
from tuner.evaluation.run_images import run_images
from tuner.models.run_model import RunModel
from tuner.models.trial_weights import best_epoch, is_kept
from tuner.results.evaluation_file import read_evaluation, write_evaluation
from tuner.results.query import RunView, reference
from tuner.results.schema import (
    ENSEMBLE_PREFIX,
    EVALUATION_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    TrialRecord,
)
from tuner.statistics.significance import ALPHA, p_text
from tuner.tuning.events import Listener, busy, noted, progress
from tuner.tuning.trusted_run import TrustedRun
from tuner.tuning.workers import workers_again
from tuner.workers.protocol import Pool


def ensemble_model(
    run: TrustedRun, count: int, data: str | None, accept_changed_code: bool, listener: Listener
) -> RunModel:
    """Return the mean of the best trials, which is made once and compared with the trial in best/.

    Args:
        count: Number of trials, 2 or more.
        data: Where the images of the run are now; default: where they were.
        accept_changed_code: Put the weights into models of other code than the run was begun with.
        listener: Hears what happens.

    Raises:
        TunerError: these trials have no mean, or the best of them is not the trial in best/.
        DataError: the images are gone, or are others by now.
    """
    members = ensemble_members(run, count)
    evaluated = run.evaluated_trial.trial_id if run.evaluated_trial else "none"
    if members[0].trial_id != evaluated:
        raise TunerError(
            f"the best trial of run '{run.run_id}' is {members[0].trial_id} by now, and the one evaluated is "
            f"{evaluated}. Finish the run with: tuner resume {reference(run.path)}"
        )
    evaluation = ensemble_before(run, members)
    if evaluation is None:
        dataset = run_images(run, data, progress(listener), noted(listener))
        with (
            workers_again(run, dataset, accept_changed_code, "ensemble", listener) as pool,
            busy(listener, f"averaging {count} models"),
        ):
            evaluation = make_ensemble(run, members, dataset, pool)
    return RunModel(run, members, evaluation, ensemble_folder(count))


def ensemble_folder(count: int) -> Path:
    """Return the folder of the mean of `count` trials, within the folder of a run."""
    return Path(f"{ENSEMBLE_PREFIX}{count}")


def ensemble_members(run: RunView, count: int) -> tuple[TrialRecord, ...]:
    """Return the best trials of a run by validation score.

    Raises:
        TunerError: fewer have a score, or the weights of one of them are not kept.
    """
    ranked = run.ranked
    possible = len(list(takewhile(lambda trial: is_kept(run, trial), ranked)))
    if possible < count:
        bounds = "2" if possible == 2 else f"2 to {possible}"
        allowed = f"{bounds}. Choose fewer." if possible > 1 else "none. Search with more trials."
        raise TunerError(
            f"--ensemble {count}: run '{run.run_id}' has {len(ranked)} trials with a score, and keeps the "
            f"weights of the best {possible}. Allowed: {allowed}"
        )
    return tuple(ranked[:count])


def ensemble_before(run: RunView, members: Sequence[TrialRecord]) -> dict[str, Any] | None:
    """Return the evaluation of an earlier mean of these trials, None where there is none."""
    folder = run.path / ensemble_folder(len(members))
    evaluation = read_evaluation(folder) if (folder / MODEL_FILE).is_file() else None
    return evaluation if evaluation and evaluation.get("members") == _described(members) else None


def make_ensemble(
    run: RunView, members: Sequence[TrialRecord], dataset: Dataset, pool: Pool
) -> dict[str, Any]:
    """Write the mean of trials as a model, evaluate it, and return the content of its evaluation.json.

    Threshold and temperature are chosen on the validation split. The first of the trials must be the one in
    best/; the mean is compared with its predictions.

    Raises:
        TunerError: the models cannot be restored, or have no mean.
        StorageError: a file cannot be written.
    """
    folder = run.path / ensemble_folder(len(members))
    # The evaluation of an earlier mean must not stay beside the new model.
    (folder / EVALUATION_FILE).unlink(missing_ok=True)
    restored = [best_epoch(run, trial) for trial in members]
    failure = f"the ensemble of {len(members)} cannot be made"
    evaluated, figures = finish_model(folder, restored, dataset, pool, failure)
    single = f"trial {members[0].trial_id}"
    other = read_predictions(run.evaluated_file(PREDICTIONS_FILE))
    correct = correct_in_order(evaluated.predictions, other, single)
    comparison = compare_predictions("the ensemble", evaluated, single, correct)
    evaluation = {
        "run_id": run.run_id,
        "members": _described(members),
        **figures,
        "comparison": {**comparison, "conclusion": _conclusion(comparison, len(members))},
    }
    write_evaluation(folder, evaluation)
    return evaluation


def _described(members: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    return [
        {"trial_id": trial.trial_id, "best_epoch": trial.best_epoch, "score": trial.score}
        for trial in members
    ]


def _conclusion(comparison: dict[str, Any], count: int) -> str:
    """The result of the test against the best single model, and the model to use."""
    single, mine, other = (comparison[key] for key in ("other", "only_this_right", "only_other_right"))
    found = (
        f"images that only the ensemble has right: {mine:,}; that only {single} has right: {other:,}; "
        f"{p_text(comparison['p_value'])} ({comparison['test']})"
    )
    advice = "Use the single model."
    if comparison["p_value"] >= ALPHA:
        verdict = f"The difference from {single} alone cannot be told from chance"
        advice = "Use the single model, which is smaller and faster."
    elif mine > other:
        verdict = f"The ensemble is better than {single} alone"
        advice = f"It is as large and as slow as its {count} members together."
    else:
        verdict = f"The ensemble is worse than {single} alone"
    return f"{verdict}: {found}. {advice}"
