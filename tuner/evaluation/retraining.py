"""The best configurations of a run trained anew, on all images but those of the test, with several seeds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuner.data.dataset import Dataset
from tuner.errors import StorageError, TunerError
from tuner.evaluation.predictions import split_predictions, write_predictions
from tuner.files import replace_bytes, replace_text
from tuner.results.checked_json import write_checked
from tuner.results.evaluation_file import read_evaluation, write_evaluation
from tuner.results.query import RunView, trial_history
from tuner.results.run_folder import RunFolder
from tuner.results.schema import (
    CHECKPOINT,
    ERRORS,
    MODEL_FILE,
    PREDICTIONS_FILE,
    RETRAINED,
    SEED_PREFIX,
    SUMMARY_FILE,
    TrialRecord,
)
from tuner.statistics.metrics import evaluate
from tuner.statistics.spread import main_figures, spread
from tuner.training.checkpoint import History, read_history
from tuner.training.task import EpochDone, RungDone, StepsDone, TrainTask
from tuner.tuning.budget import Budget
from tuner.tuning.checkpoints import Checkpoints
from tuner.tuning.oracles import make_plan
from tuner.tuning.tasks import Tasks
from tuner.workers.protocol import Failure, FinishModel, Halt, Lost, Member, ModelDone, Pool

SPLITS = ("train", "validation")
# On a cluster there may be no worker for hours; time runs out all the same.
TICK_S = 1.0
# So often may the process of one be killed from outside.
MAX_ATTEMPTS = 5


@dataclass(frozen=True)
class SeededTrial:
    """A configuration of a search to be trained with one seed, and the folder for what comes of it."""

    trial: TrialRecord
    seed: int
    epochs: int
    folder: Path
    run_folder: RunFolder
    checkpoint: Path
    """Folder of what it takes to go on, while it is trained."""

    @property
    def label(self) -> str:
        """What people read."""
        return f"{self.trial.trial_id} seed {self.seed}"

    def remove_checkpoint(self) -> None:
        """Delete what it takes to go on."""
        self.run_folder.remove(self.checkpoint)

    def evaluation(self) -> dict[str, Any] | None:
        """Return its figures on the test split once it is trained to its end, None before that."""
        found = self._measured()
        # A search that went on may have found that more epochs are better.
        return found if found is not None and found["epochs"] == self.epochs else None

    def cut_short(self) -> dict[str, Any] | None:
        """Return its figures after its last epoch where the time was over before its end, None otherwise."""
        found = self._measured()
        is_cut = found is not None and found["epochs"] != self.epochs == found["planned_epochs"]
        return found if is_cut else None

    def _measured(self) -> dict[str, Any] | None:
        return read_evaluation(self.folder) if (self.folder / MODEL_FILE).is_file() else None


@dataclass(frozen=True)
class Measured:
    """One of them is trained, to its end or as far as the time went, and measured."""

    which: SeededTrial
    evaluation: dict[str, Any]


Event = StepsDone | EpochDone | Measured


def seeded_trials(run: RunView, seeds: int, top: int) -> list[SeededTrial]:
    """Return what is to be trained: the best `top` configurations, each with as many seeds.

    The seeds count up from that of the run.

    Raises:
        TunerError: fewer trials have a score.
    """
    ranked = run.ranked
    if len(ranked) < top:
        raise TunerError(
            f"--top {top}: of the trials of run '{run.run_id}', {len(ranked)} have a score. "
            f"Allowed: 1 to {len(ranked)}. Choose fewer."
        )
    images = sum(run.facts["data"]["counts"]["train"].values())
    first = run.facts["seed"]
    run_folder = run.folder
    found = []
    for trial in ranked[:top]:
        epochs = passes_to_best(trial_history(run, trial.trial_id), trial.best_epoch, images)
        for seed in range(first, first + seeds):
            folder = Path(RETRAINED, trial.trial_id, f"{SEED_PREFIX}{seed}")
            checkpoint = run_folder.workers_path / folder / CHECKPOINT
            found.append(SeededTrial(trial, seed, epochs, run.path / folder, run_folder, checkpoint))
    return found


def passes_to_best(history: History, best_epoch: int | None, images: int) -> int:
    """Return how many passes over so many images a trial has made to its best epoch, rounded up.

    Epochs on part of the images count for that part.
    """
    return -(-sum(epoch.images for epoch in history[:best_epoch]) // images)


def retrain(
    run: RunView, dataset: Dataset, pool: Pool, wanted: Sequence[SeededTrial], budget: Budget
) -> Iterator[Event]:
    """Train and measure what is not finished yet, and yield what happens.

    Each goes on from its checkpoint, where it has one, and ends as if it had never been stopped. Where the
    time is over before, those under way are measured after their last epoch, and keep their checkpoints.

    Args:
        dataset: The images of the run, those of the validation split in training.
        budget: The time for all of them together.

    Raises:
        TunerError: one cannot be trained. Those that are finished stay.
        StorageError: a file cannot be written.
    """
    tasks = _tasks(run)
    waiting = deque(each for each in wanted if each.evaluation() is None)
    under_way: dict[int, SeededTrial] = {}
    deaths: Counter[str] = Counter()
    while waiting or under_way:
        for worker in pool.idle():
            if waiting and budget.allows():
                under_way[worker] = waiting.popleft()
                task = _task(tasks, under_way[worker], budget.left_s)
                pool.submit(worker, task, budget.limit_s(trained_s=0.0))
        if not under_way and not budget.allows():
            return
        found = pool.next_event(TICK_S)
        if found is None or found[0] not in under_way:
            continue
        worker, event = found
        each = under_way[worker]
        if isinstance(event, StepsDone | EpochDone):
            yield event
        elif isinstance(event, RungDone) or _is_late(event, budget):
            if isinstance(event, RungDone) and event.timed_out:
                budget.end_time()
            if read_history(each.checkpoint):
                member = Member(each.trial.values, each.checkpoint)
                pool.submit(worker, FinishModel((member,), "test"))
            else:
                del under_way[worker]
        elif isinstance(event, ModelDone):
            yield Measured(each, _measure(run, dataset, each, event))
            del under_way[worker]
        elif isinstance(event, Lost):
            waiting.appendleft(under_way.pop(worker))
            deaths[each.label] += 1
            if deaths[each.label] >= MAX_ATTEMPTS:
                raise _failed(each, f"its process was killed {MAX_ATTEMPTS} times")
        elif isinstance(event, Failure):
            if event.traceback:
                replace_text(run.path / ERRORS / f"{each.label.replace(' ', '-')}.txt", event.traceback)
            raise _failed(each, f"{event.reason}: {event.message}")
        elif isinstance(event, Halt):
            raise StorageError(event.message)


def summarize(run: RunView, wanted: Sequence[SeededTrial]) -> dict[str, Any]:
    """Write and return the figures of what is trained, with the spread of each trial's.

    Only seeds with as many epochs are compared. Those that are trained to their end count; where the time was
    over before the end of all, the first that was cut short counts.

    Raises:
        TunerError: no epoch of the first trial is over.
        StorageError: the file cannot be written.
    """
    trials: list[dict[str, Any]] = []
    for trial in dict.fromkeys(each.trial.trial_id for each in wanted):
        found = _counted([each for each in wanted if each.trial.trial_id == trial])
        if not found and not trials:
            raise TunerError(
                f"out of time before the first epoch of trial {trial} was over. Give it more with --max-time."
            )
        if not found:
            continue
        of_trial, evaluations = [each for each, _ in found], [evaluation for _, evaluation in found]
        figures = [main_figures(evaluation) for evaluation in evaluations]
        record = of_trial[0].trial
        trials.append(
            {
                "trial_id": trial,
                "hyperparameters": record.values,
                "score": record.score,
                "num_params": record.num_params,
                "batch_size": record.batch_size,
                "epochs": evaluations[0]["epochs"],
                "planned_epochs": of_trial[0].epochs,
                "seeds": [
                    {"seed": each.seed, "folder": str(each.folder.relative_to(run.path)), **own}
                    for each, own in zip(of_trial, figures, strict=True)
                ],
                "figures": spread(figures),
            }
        )
    summary = {
        "run_id": run.run_id,
        "objective": run.facts["objective"],
        "trained_on": evaluations[0]["trained_on"],
        "test_images": evaluations[0]["images"],
        "trials": trials,
    }
    write_checked(run.path / RETRAINED / SUMMARY_FILE, summary)
    return summary


def _tasks(run: RunView) -> Tasks:
    # Keras Tuner takes a second to import, which a look at what is finished should not take.
    from tuner.spaces.configurations import declared_space, space_size

    plan = make_plan(run.config, space_size(declared_space(run.facts["hyperparameters"])))
    return Tasks(run.config, plan, run.facts, Checkpoints(run.folder))


def _task(tasks: Tasks, each: SeededTrial, left_s: float | None) -> TrainTask:
    """What the search would train, but with all images from the first epoch on, and no validation."""
    if len(read_history(each.checkpoint)) > each.epochs:
        each.remove_checkpoint()
    return replace(
        tasks.make(each.trial, each.epochs, left_s=left_s),
        trial_id=each.label,
        objective=None,
        seed=each.seed,
        checkpoint_dir=each.checkpoint,
        epochs_reported=0,
        shares=(),
    )


def _measure(run: RunView, dataset: Dataset, each: SeededTrial, answer: ModelDone) -> dict[str, Any]:
    """Write what came of one, its evaluation last, and let its checkpoint go."""
    replace_bytes(each.folder / MODEL_FILE, answer.model)
    test = split_predictions(dataset, "test", answer.probabilities)
    history = read_history(each.checkpoint)
    evaluation = {
        "run_id": run.run_id,
        "trial_id": each.trial.trial_id,
        "seed": each.seed,
        "epochs": len(history),
        "planned_epochs": each.epochs,
        "trained_on": {"splits": list(SPLITS), "images": len(dataset.splits["train"])},
        "split": "test",
        **evaluate(test.labels, test.probabilities, test.class_names, dataset.positive_class, seen=test.seen),
        "duration_s": sum(epoch.duration_s for epoch in history),
        "prediction_s": answer.prediction_s,
    }
    write_predictions(each.folder / PREDICTIONS_FILE, test)
    write_evaluation(each.folder, evaluation)
    if len(history) == each.epochs:
        each.remove_checkpoint()
    return evaluation


def _is_late(event: object, budget: Budget) -> bool:
    """Whether a worker was killed because it hung when the time was over."""
    return isinstance(event, Failure) and event.reason == "timeout" and budget.out_of_time


def _counted(of_trial: Sequence[SeededTrial]) -> list[tuple[SeededTrial, dict[str, Any]]]:
    """Those of a trial whose figures are told, with their evaluations."""
    finished = [(each, found) for each in of_trial if (found := each.evaluation()) is not None]
    for each, _ in finished:
        # Of a process that was killed just before it could remove it.
        each.remove_checkpoint()
    cut = [(each, found) for each in of_trial if (found := each.cut_short()) is not None]
    return finished or cut[:1]


def _failed(each: SeededTrial, why: str) -> TunerError:
    return TunerError(
        f"trial {each.label} cannot be trained again: {why.rstrip('.')}. What is finished stays; type the "
        "same again to go on."
    )
