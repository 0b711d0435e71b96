"""What there is to compare of a run: one row, and whether it may stand beside the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.errors import StorageError, UsageError
from tuner.results.query import RunView
from tuner.results.schema import BEST, MODEL_FILE, PREDICTIONS_FILE, TIMINGS
from tuner.results.tables import read_table, rows_table
from tuner.statistics.significance import ALPHA, McNemar, holm, mcnemar, p_text

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "run_id",
    "space",
    "dataset",
    "status",
    "trials",
    "trial_id",
    "accuracy",
    "accuracy_low_95",
    "accuracy_high_95",
    "auroc",
    "accuracy_without_seen",
    "num_params",
    "model_mib",
    "preparation_s",
    "loading_s",
    "training_s",
    "search_training_s",
    "prediction_s",
    "prediction_images_per_s",
    "test_images",
    "device",
)
# Against the first run; the p value is adjusted for the number of runs.
DIFFERENCE_COLUMNS = ("only_first_right", "only_this_right", "p_value")


@dataclass(frozen=True)
class Difference:
    """Two winners on the same test images, or why they are not tested.

    `p_value` is that of the test, adjusted for the number of tests.
    """

    first: str
    second: str
    test: McNemar | None
    p_value: float | None
    reason: str = ""

    @property
    def row(self) -> dict[str, Any]:
        """The DIFFERENCE_COLUMNS, None where nothing was tested."""
        counts = (self.test.only_first, self.test.only_second) if self.test else (None, None)
        return dict(zip(DIFFERENCE_COLUMNS, (*counts, self.p_value), strict=True))

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        if self.test is None or self.p_value is None:
            return f"{self.second} against {self.first}: not tested, {self.reason}"
        counts = (
            f"{self.test.only_second:,} images right that {self.first} gets wrong, {self.test.only_first:,} "
            f"the other way round, of {self.test.images:,}"
        )
        if self.p_value >= ALPHA:
            verdict = "no difference to be seen"
        else:
            verdict = "better" if self.test.only_second > self.test.only_first else "worse"
        found = f"{verdict}, {p_text(self.p_value)}"
        return f"{self.second} against {self.first}: {found} ({counts}; {self.test.test})"


def comparison_row(run: RunView) -> dict[str, Any]:
    """Return the COLUMNS of a run; values that it does not have yet are None.

    Figures of a model are those of the evaluated winner, before there is one those of the best trial so far.
    `model_mib` is the size of its file; accuracy and AUROC are on the test split, with Wilson's interval;
    `accuracy_without_seen` is on those of its images that training did not see, None where it saw none.
    `preparation_s` went into decoding images, or mapping what was decoded before; `loading_s` into starting
    workers, Keras and the space; `training_s` into the winner; `search_training_s` into all trials, on all
    workers together; `prediction_s` into the test split, with the model loaded. An epoch that was taken from
    an earlier run counts with the time it took there.
    """
    evaluation = run.evaluation or {}
    trial = run.evaluated_trial or next(iter(run.ranked), None)
    timings = run.facts.get(TIMINGS, {})
    low, high = evaluation.get("accuracy_interval_95", (None, None))
    images, prediction_s = evaluation.get("images"), evaluation.get("prediction_s")
    model = run.path / BEST / MODEL_FILE
    return {
        "run_id": run.run_id,
        "space": run.facts["space"],
        "dataset": run.facts["dataset"],
        "status": run.facts["status"],
        "trials": len(run.trials),
        "trial_id": trial.trial_id if trial else None,
        "accuracy": evaluation.get("accuracy"),
        "accuracy_low_95": low,
        "accuracy_high_95": high,
        "auroc": evaluation.get("auroc"),
        "accuracy_without_seen": evaluation.get("without_seen", {}).get("accuracy"),
        "num_params": trial.num_params if trial else None,
        "model_mib": model.stat().st_size / 2**20 if evaluation and model.is_file() else None,
        "preparation_s": timings.get("preparation_s"),
        "loading_s": timings.get("loading_s"),
        "training_s": trial.duration_s if trial else None,
        "search_training_s": sum(each.duration_s for each in run.trials) if run.trials else None,
        "prediction_s": prediction_s,
        "prediction_images_per_s": images / prediction_s if images and prediction_s else None,
        "test_images": images,
        "device": run.facts["device"],
    }


def comparison_table(runs: Sequence[RunView], tested: Sequence[Difference]) -> pd.DataFrame:
    """Return one row a run: COLUMNS, then DIFFERENCE_COLUMNS against the first run.

    Args:
        tested: The differences of all runs but the first.
    """
    against = [dict.fromkeys(DIFFERENCE_COLUMNS), *(each.row for each in tested)]
    rows = (comparison_row(run) | found for run, found in zip(runs, against, strict=True))
    return rows_table(rows, [*COLUMNS, *DIFFERENCE_COLUMNS])


def differences(runs: Sequence[RunView], names: Sequence[str]) -> list[Difference]:
    """Test the winner of each run after the first against that of the first, by McNemar's test.

    Against the first alone, so that whoever names the runs says before what is to be beaten: of all pairs
    some would differ by chance. P values are adjusted for the number of tests by Holm.

    Args:
        names: What to call the runs.
    """
    tests: list[McNemar | str] = [_test(runs[0], run) for run in runs[1:]]
    adjusted = iter(holm([test.p_value for test in tests if isinstance(test, McNemar)]))
    return [
        Difference(names[0], name, test, next(adjusted))
        if isinstance(test, McNemar)
        else Difference(names[0], name, None, None, test)
        for name, test in zip(names[1:], tests, strict=True)
    ]


def _test(first: RunView, second: RunView) -> McNemar | str:
    """The test, or why there is none."""
    for run in (first, second):
        if run.evaluation is None:
            return f"{run.run_id} has no evaluated winner yet"
    answers, others = _answers(first), _answers(second)
    for run, found in ((first, answers), (second, others)):
        if found.empty:
            return f"{run.run_id} has no readable {BEST}/{PREDICTIONS_FILE}"
    if not (answers["label"].equals(others["label"]) and _same_test_images(first, second)):
        return "their test images are not the same"
    right, also = ((each["label"] == each["predicted"]).to_numpy(bool) for each in (answers, others))
    return mcnemar(right, also)


def _answers(run: RunView) -> pd.DataFrame:
    """Return `label` and `predicted` of each test image, in the order of `path`, the index.

    The table is empty where the file cannot be read.
    """
    import pandas as pd

    columns = ["path", "label", "predicted"]
    try:
        frame = read_table(run.evaluated_file(PREDICTIONS_FILE), PREDICTIONS_FILE)
    except (UsageError, StorageError):
        frame = pd.DataFrame()
    whole = frame if {*columns} <= {*frame.columns} else pd.DataFrame(columns=columns)
    return whole[columns].set_index("path").sort_index()


def caveats(runs: Sequence[RunView]) -> list[str]:
    """Return what a reader has to know before comparing these figures, a sentence each."""
    found = []
    evaluated = [run for run in runs if run.evaluation is not None]
    others = [run.run_id for run in evaluated[1:] if not _same_test_images(evaluated[0], run)]
    if others:
        found.append(
            f"evaluated on different test images than {evaluated[0].run_id}: {', '.join(others)}; "
            "accuracies are not comparable"
        )
    without = [
        f"{row['run_id']} ({row['accuracy_without_seen']:.2%})"
        for row in map(comparison_row, evaluated)
        if row["accuracy_without_seen"] is not None
    ]
    if without:
        found.append("tested on copies of training images too; accuracy without them: " + ", ".join(without))
    reused = {run.run_id: sum(trial.known_epochs for trial in run.trials) for run in runs}
    if any(reused.values()):
        found.append(
            "took epochs from earlier runs, which cost it no time: "
            + ", ".join(f"{name} ({number})" for name, number in reused.items() if number)
        )
    devices = {run.facts["device"] for run in runs}
    if len(devices) > 1:
        found.append(f"run on different devices: {' | '.join(sorted(devices))}; times are not comparable")
    return found


def curve_caveats(runs: Sequence[RunView]) -> list[str]:
    """Return what a reader has to know before comparing scores of runs so far, a sentence each."""
    first, *rest = runs
    data = first.facts["data"]["fingerprint"], first.facts["seed"]
    others = [run.run_id for run in rest if (run.facts["data"]["fingerprint"], run.facts["seed"]) != data]
    if not others:
        return []
    return [
        f"scored on different validation images than {first.run_id}: {', '.join(others)}; "
        "compare how their curves rise, not how high"
    ]


def _same_test_images(first: RunView, second: RunView) -> bool:
    """Whether two winners predicted the same images, of whatever size.

    The same data split by the same seed has the same test images. Of the same data or source, and of an
    official test split whatever the seed, the predictions tell.
    """
    data, other = first.facts["data"], second.facts["data"]
    same_data = data["fingerprint"] == other["fingerprint"]
    if same_data and first.facts["seed"] == second.facts["seed"]:
        return True
    labels, others = _answers(first)["label"], _answers(second)["label"]
    same_source = same_data or data["source"] == other["source"]
    return same_source and not labels.empty and labels.equals(others)
