"""The content of a report, read from the folder of its run alone."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuner.analysis.importance import Importance, importance
from tuner.analysis.value_bins import value_text
from tuner.config import to_toml
from tuner.evaluation.gallery import Gallery, read_gallery
from tuner.evaluation.predictions import read_predictions
from tuner.evaluation.run_robustness import read_robustness
from tuner.report.after_search import EnsembleView, RetrainedView, read_ensembles, read_retrained
from tuner.report.evaluation_figures import duration
from tuner.report.plot_data import Roc, SearchPlots, roc_curves, search_plots
from tuner.results.query import RunView, reference
from tuner.results.schema import (
    BEST,
    CONFIG_FILE,
    FAILED,
    GALLERY_FILE,
    PREDICTIONS_FILE,
    SHORTCUTS,
    SPACE_NOTES,
    TrialRecord,
)
from tuner.statistics.confusion import MANY_CLASSES
from tuner.units import counted, listed

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """A trial in the table; `position` is its place among those shown, `rank` None without a score."""

    position: int
    rank: int | None
    trial: TrialRecord
    values: tuple[str, ...]


@dataclass(frozen=True)
class Failures:
    """The trials that failed for one reason, with the message of the first."""

    reason: str
    trial_ids: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class Contents:
    """The content of a report.

    `evaluation` is None before the winner is tested, `robustness` before it is measured. `retrained` and
    `ensembles` are empty before such models are made.
    """

    run: RunView
    plots: SearchPlots
    evaluation: dict[str, Any] | None
    roc: tuple[Roc, ...]
    gallery: Gallery | None
    importance: Importance | None
    config: str
    robustness: dict[str, Any] | None = None
    retrained: tuple[RetrainedView, ...] = ()
    ensembles: EnsembleView | None = None

    @property
    def winner(self) -> TrialRecord | None:
        """The trial that was tested; before that, the best so far."""
        return self.run.evaluated_trial or next(iter(self.run.ranked), None)

    @property
    def winner_position(self) -> int | None:
        """Position of the winner among the trials that are shown."""
        winner = self.winner
        return next(
            (i for i, each in enumerate(self.plots.trials) if winner and each.trial_id == winner.trial_id),
            None,
        )

    @property
    def winner_facts(self) -> list[str]:
        """The line on the winner below its test figures."""
        trial, facts = self.winner, self.run.facts
        if trial is None:
            return []
        return [
            f"Trial {trial.trial_id}",
            f"{facts['objective']} {trial.score:.4f} on validation images",
            # Known from the end of its first rung on.
            *([] if trial.num_params is None else [f"{trial.num_params:,} parameters"]),
            f"best epoch {trial.best_epoch} of {trial.epochs}",
            f"{duration(facts['spent_s'])} for the whole search",
            str(facts["device"]),
        ]

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Names of the hyperparameters that differ between trials."""
        return tuple(axis.name for axis in self.plots.axes)

    @property
    def constant(self) -> dict[str, str]:
        """Hyperparameters of one value in all trials, with that value."""
        values = self.run.trials[0].values if self.run.trials else {}
        return {name: value_text(value) for name, value in values.items() if name not in self.varied}

    @property
    def rows(self) -> list[Row]:
        """The trials that are shown, by their rank; then those without a score, failed ones at the end."""
        rows = [
            Row(position, point.rank, trial, tuple(map(_cell, map(trial.values.get, self.varied))))
            for position, point in enumerate(self.plots.trials)
            if (trial := self.run.trials[point.number - 1])
        ]
        return sorted(rows, key=lambda row: (row.rank or math.inf, row.trial.status == FAILED))

    @property
    def sample(self) -> str | None:
        """Sentence on the trials that are shown where they are not all."""
        shown, every = len(self.plots.trials), len(self.run.trials)
        if shown == every:
            return None
        return (
            f"{shown:,} of {every:,} trials are shown, in the plots and the leaderboard: the best "
            f"{min(shown // 2, self.plots.scored):,}, the last that were the best so far, and others drawn "
            "at random. The lines of the best so far and the medians are of all."
        )

    @property
    def failures(self) -> list[Failures]:
        """Failed trials by their reason, the most frequent first."""
        groups: dict[str, list[TrialRecord]] = {}
        for trial in self.run.trials:
            if trial.status == FAILED:
                groups.setdefault(trial.error.partition(":")[0], []).append(trial)
        return [
            Failures(reason, tuple(t.trial_id for t in trials), trials[0].error.partition(":")[2].strip())
            for reason, trials in sorted(groups.items(), key=lambda group: -len(group[1]))
        ]

    @property
    def shortcuts(self) -> list[dict[str, Any]]:
        """Properties that tell classes apart alone, the strongest first."""
        found = self.run.facts.get(SHORTCUTS, ())
        return [each for each in found if each["auroc"] >= each["warn_from"]]

    @property
    def weak_properties(self) -> list[dict[str, Any]]:
        """Properties that were measured and are no shortcuts, the strongest first."""
        return [each for each in self.run.facts.get(SHORTCUTS, ()) if each["auroc"] < each["warn_from"]]

    @property
    def robustness_command(self) -> str:
        """The command that measures the robustness of the winner."""
        return f"tuner evaluate {shlex.quote(reference(self.run.path))} --robustness"

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Purpose and text of each command that comes next."""
        run = reference(self.run.path)
        config = shlex.quote(str(self.run.path / CONFIG_FILE))
        again = shlex.quote(f"{self.run.run_id}-again")
        found = [("repeat the search", f"tuner search --config {config} --name {again} --no-reuse")]
        if self.evaluation:
            found.append(("export the model", f"tuner best {shlex.quote(run)} --export model.keras"))
        else:
            found.append(("go on with the search", f"tuner resume {shlex.quote(run)}"))
        found.append(("make this page again", f"tuner report {shlex.quote(run)}"))
        return found


def read_contents(run: RunView) -> Contents:
    """Read the content of a report.

    Raises:
        TunerError: a file of the run is damaged.
    """
    best = run.path / BEST
    saved = run.evaluation
    roc: tuple[Roc, ...] = ()
    # Curves of many classes tell nothing, and the file is as large as they are many.
    if (
        saved is not None
        and ("positive_class" in saved or len(saved["class_names"]) < MANY_CLASSES)
        and (best / PREDICTIONS_FILE).is_file()
    ):
        roc = roc_curves(read_predictions(run.evaluated_file(PREDICTIONS_FILE)), saved)
    return Contents(
        run,
        search_plots(run),
        saved,
        roc,
        read_gallery(run.evaluated_file(GALLERY_FILE)) if (best / GALLERY_FILE).is_file() else None,
        importance(run) if run.trials else None,
        to_toml(run.config),
        read_robustness(run) if saved is not None else None,
        read_retrained(run, saved) if saved is not None else (),
        read_ensembles(run, saved) if saved is not None else None,
    )


def provenance(contents: Contents) -> dict[str, Facts]:
    """Return the origin of the figures: data, search and machine, as texts."""
    facts = contents.run.facts
    config, data = facts["config"], facts["data"]
    groups: dict[str, dict[str, Any]] = {
        "Data": {
            # As it was typed; the whole path is nobody's business who reads the page.
            "source": config["data"],
            "fingerprint": data["fingerprint"],
            "images": " x ".join(map(str, data["image_shape"])) + " pixels",
            "test images seen in training": data["seen_test_images"] or None,
            "test images like one seen in training": data["near_test_images"] or None,
            **{f"made {change}": _resized(found) for change, found in data["resized"].items()},
            "classes": listed(data["class_names"], MANY_CLASSES),
            "notes on the images": ". ".join(data.get("notes", ())) or None,
            "positive class": data["positive_class"],
            "unreadable": data["skipped"],
        },
        "Search": {
            "space": facts["space"],
            "notes on the space": " ".join(facts.get(SPACE_NOTES, ())) or None,
            "pixels": config.get("pixels"),
            "algorithm": facts["algorithm"],
            "objective": f"{facts['objective']} ({facts['direction']})",
            "budget": _budget(config),
            "seed": facts["seed"],
            "started": facts["started_at"][:19].replace("T", " ") + " UTC",
            "status": facts["status"],
        },
        "Machine": {
            "device": facts["device"],
            "backend": facts["backend"],
            "precision": facts["compute"]["precision"],
            "workers": config["workers"],
            "git commit": facts["git_commit"],
            **facts["versions"],
        },
    }
    return {name: _texts(group) for name, group in groups.items()}


def _cell(value: Any) -> str:
    return "" if value is None else value_text(value)


def _resized(found: Mapping[str, int]) -> str:
    return f"{counted(found['num_images'], 'image')}, most from {found['width']} x {found['height']} pixels"


def _budget(config: Mapping[str, Any]) -> str:
    units = {
        "max_trials": "trials",
        "max_epochs": "epochs each",
        "max_epochs_total": "epochs in all",
        "max_time": "s",
    }
    return ", ".join(f"{config[name]:g} {unit}" for name, unit in units.items() if config.get(name))


def _texts(group: Mapping[str, Any]) -> Facts:
    return tuple((name, str(value)) for name, value in group.items() if value not in (None, ""))
