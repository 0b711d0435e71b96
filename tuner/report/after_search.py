"""Models made from the best trials after the search: retrained with several seeds, or averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.errors import StorageError
from tuner.evaluation.ensemble import ensemble_before, ensemble_folder
from tuner.report.evaluation_figures import FigureTable, headline_cells, number, percent
from tuner.results.checked_json import read_checked
from tuner.results.query import RunView
from tuner.results.schema import ENSEMBLE_PREFIX, RETRAINED, SUMMARY_FILE
from tuner.statistics.headline import headline
from tuner.statistics.significance import p_text
from tuner.statistics.spread import FIGURES, epochs_text, main_figures


@dataclass(frozen=True)
class RetrainedView:
    """A configuration trained anew: its figures over all seeds, and those of each."""

    trial_id: str
    about: str
    table: FigureTable
    by_seed: FigureTable


@dataclass(frozen=True)
class EnsembleView:
    """The best trial alone and the means of several, on the same images; a sentence on each mean."""

    table: FigureTable
    conclusions: tuple[tuple[str, str], ...]


def read_retrained(run: RunView, evaluation: dict[str, Any]) -> tuple[RetrainedView, ...]:
    """Return the results of the last `tuner best --retrain`, one view a trial; empty before the first.

    Args:
        evaluation: That of the winner, whose figures stand beside those of its configuration.

    Raises:
        StorageError: the file is damaged.
    """
    path = run.path / RETRAINED / SUMMARY_FILE
    if not path.is_file():
        return ()
    with _refusing_damage(path):
        summary = read_checked(path)
        images = summary["trained_on"]["images"]
        return tuple(_retrained(trial, images, evaluation) for trial in summary["trials"])


def read_ensembles(run: RunView, evaluation: dict[str, Any]) -> EnsembleView | None:
    """Return the ensembles of the best trials by the ranking of now; None where there are none.

    Args:
        evaluation: That of the winner, with which they were compared.

    Raises:
        StorageError: a file is damaged.
    """
    sizes = [path.name.removeprefix(ENSEMBLE_PREFIX) for path in run.path.glob(f"{ENSEMBLE_PREFIX}*")]
    rows, conclusions = [(f"trial {evaluation['trial_id']} alone", (*_cells(evaluation), ""))], []
    for count in sorted(int(size) for size in sizes if size.isdecimal()):
        with _refusing_damage(run.path / ensemble_folder(count)):
            found = ensemble_before(run, run.ranked[:count])
            if found is not None:
                name = f"mean of {len(found['members'])}"
                rows.append((name, (*_cells(found), p_text(found["comparison"]["p_value"]))))
                conclusions.append((name, found["comparison"]["conclusion"]))
    if not conclusions:
        return None
    without = ("without copies",) if "without_seen" in evaluation else ()
    columns = ("accuracy", "95 %", "AUROC", *without, "McNemar")
    return EnsembleView(FigureTable(columns, tuple(rows)), tuple(conclusions))


@contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    """Name the file or folder to delete where its content makes no sense."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"'{path}' is damaged: {type(error).__name__}: {error}. Delete it; the report does without."
        ) from None


def _retrained(trial: Mapping[str, Any], images: int, evaluation: dict[str, Any]) -> RetrainedView:
    seeds, figures = trial["seeds"], trial["figures"]
    columns = {"mean": "mean", "sd": "std dev", "min": "least", "max": "most"}
    if trial["trial_id"] == evaluation["trial_id"]:
        columns["searched"] = "in the search"
        searched = main_figures(evaluation)
        figures = {name: {**values, "searched": searched[name]} for name, values in figures.items()}
    rows = [
        (FIGURES[name], tuple(number(values[key]) for key in columns)) for name, values in figures.items()
    ]
    by_seed = [(str(seed["seed"]), tuple(number(seed[name]) for name in figures)) for seed in seeds]
    return RetrainedView(
        trial_id=trial["trial_id"],
        about=f"{epochs_text(trial)} on {images:,} images, train and validation together, with "
        + (f"each of {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]['seed']}"),
        table=FigureTable(tuple(columns.values()), tuple(rows)),
        by_seed=FigureTable(tuple(FIGURES[name] for name in figures), tuple(by_seed)),
    )


def _cells(evaluation: dict[str, Any]) -> tuple[str, ...]:
    accuracy, interval, auroc, _ = headline_cells(headline(evaluation))
    unseen = evaluation.get("without_seen")
    return accuracy, interval, auroc, *([percent(unseen.get("accuracy"))] if unseen else [])
