"""`tuner importance`: which hyperparameters moved the score, and which the time of an epoch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from tuner.analysis.importance import LITTLE, SCORE, SECONDS, TARGETS, Effect, Importance, Level, importance
from tuner.analysis.importance_table import importance_document, importance_table
from tuner.cli.options import DEFAULT_RESULTS_DIR, FormatOption, ResultsDirOption, RunArgument
from tuner.cli.output import MOST_VALUES, format_values, note, show, stderr, stdout, write_json
from tuner.cli.terminal import Console, Text
from tuner.errors import TunerError
from tuner.results.query import RunView, find_run
from tuner.results.query import reference as run_reference
from tuner.statistics.significance import p_text
from tuner.units import counted

PngOption = Annotated[
    Path | None,
    typer.Option("--png", metavar="FOLDER", help="Write importance.png and marginal_means.png there."),
]


def show_importance(
    run: RunArgument = None,
    png: PngOption = None,
    form: FormatOption = "table",
    results_dir: ResultsDirOption = DEFAULT_RESULTS_DIR,
) -> None:
    """Tell which hyperparameters moved the score, and which the training time.

    All trials are compared after the same number of epochs, and by the seconds of one epoch. Shares of the
    variance are by fANOVA, with the range of 95 % of resamples; a hyperparameter that is not always active
    is judged among the trials where it is.
    """
    view = find_run(run, results_dir, note)
    with stderr().status("Resampling the trials ..."):
        found = importance(view)
    if not found.observations.trials:
        raise TunerError(
            f"run '{view.run_id}' has no trial to look at: none has finished its first rung. "
            f"See how it stands with: tuner leaderboard {run_reference(view.path)}"
        )
    if form == "json":
        write_json(json.dumps(importance_document(view, found), indent=2, ensure_ascii=False))
    elif form == "table":
        _print(view, found, stdout())
    else:
        show(importance_table(view, found), form)
    if png is not None:
        from tuner.analysis.plot_importance import write_effects_png, write_importance_png

        write_importance_png(png / "importance.png", found, view.run_id)
        write_effects_png(png / "marginal_means.png", found, view.run_id)
        note(f"Pictures   {png / 'importance.png'}, marginal_means.png")


def _print(run: RunView, found: Importance, console: Console) -> None:
    observed = found.observations
    more = len(found.hyperparameters) - MOST_VALUES
    found = replace(found, hyperparameters=found.hyperparameters[:MOST_VALUES])
    console.print(Text(f"Importance of hyperparameters in {run.run_id}", "bold"), soft_wrap=True)
    console.print(Text(_compared(found), "dim"))
    console.print()
    if not found.hyperparameters:
        console.print(Text("No hyperparameter varied: there is nothing to tell.", "yellow"))
    elif found.too_few:
        console.print(Text(found.too_few + ".", "yellow"))
    else:
        console.print(_share_table(found))
        if any(each.conditional for each in found.hyperparameters):
            console.print(Text("* active in these trials only; a share of the variance among them", "dim"))
        console.print(Text(_fit(found), "dim"))
        console.print()
        for target in TARGETS:
            console.print(Text(_conclusion(found, target)))
    if found.hyperparameters:
        console.print()
        console.print(_level_table(found))
    if more > 0:
        console.print(Text(f"and {more:,} more hyperparameters: --format csv has all", "dim"))
    if found.constant:
        console.print(Text(f"all with {format_values(found.constant)}", "dim"))
    if observed.failed:
        for sentence in found.failing or ("no value fails more often than chance would have it",):
            console.print(Text(f"Failures: {sentence}."))
    for caveat in found.caveats:
        console.print(Text(f"Note: {caveat}.", "dim"))


def _compared(found: Importance) -> str:
    """What is compared, and what is not."""
    observed = found.observations
    trials, epochs = counted(len(observed.trials), "trial"), counted(observed.epochs, "epoch")
    text = f"{trials} by their best {observed.objective} in {epochs}"
    if observed.left_out:
        text += "; left out: " + ", ".join(f"{number} {why}" for why, number in observed.left_out.items())
    return text


def _fit(found: Importance) -> str:
    def told(target: str) -> str:
        r2 = found.unseen_r2[target] or 0.0
        return f"{r2:.0%} of {_title(found, target)}" if r2 > 0 else f"nothing of {_title(found, target)}"

    return (
        "share = of the variance between configurations, by this hyperparameter alone, [95 % of resamples]\n"
        f"In trials not seen, the forest behind the shares explains {told(SCORE)}, {told(SECONDS)}."
    )


def _conclusion(found: Importance, target: str) -> str:
    """One sentence: what is told from noise, what is told to do little, and what cannot be told."""
    title = _title(found, target)
    judged = [each for each in found.hyperparameters if each.effects[target].share is not None]
    judged.sort(key=lambda each: -_share(each.effects[target]))
    clear = [each for each in judged if found.is_told(each, target)]
    rest = [each for each in judged if each not in clear]
    told = ", ".join(f"{each.name} ({_share(each.effects[target]):.0%})" for each in clear)
    parts = [told or "no hyperparameter is told from noise"]
    if (found.unseen_r2[target] or 0.0) > 0:
        little = [each.name for each in rest if each.effects[target].is_little]
        unsure = [each.name for each in rest if not each.effects[target].is_little]
        parts += [f"at most {LITTLE:.0%} each: {', '.join(little)}"] if little else []
        parts += [f"cannot be told: {', '.join(unsure)}"] if unsure and clear else []
    return f"{title}: {'; '.join(parts)}."


def _share(effect: Effect) -> float:
    return effect.share.share if effect.share else 0.0


def _title(found: Importance, target: str) -> str:
    return found.observations.objective if target == SCORE else "seconds per epoch"


def _share_table(found: Importance) -> Table:
    with_p = any(each.effects[SCORE].p_value is not None for each in found.hyperparameters)
    titles = [_title(found, target) for target in TARGETS]
    numeric = [heading for title in titles for heading in (title, "p")] if with_p else titles
    table = _table("hyperparameter", *(Column(name, justify="right") for name in (*numeric, "trials")))
    for each in found.hyperparameters:
        cells: list[Text] = []
        for target in TARGETS:
            effect = each.effects[target]
            cells.append(Text(_share_text(effect), "bold green" if found.is_told(each, target) else ""))
            if with_p:
                text = "" if effect.p_value is None else p_text(effect.p_value).removeprefix("p ")
                cells.append(Text(text.removeprefix("= "), "dim"))
        table.add_row(Text(each.name), *cells, f"{each.trials}{' *' if each.conditional else ''}")
    return table


def _table(first: str, *columns: Column) -> Table:
    return Table(Column(first, overflow="fold"), *columns, box=None, pad_edge=False, header_style="dim")


def _share_text(effect: Effect) -> str:
    if effect.share is None:
        return "too few"
    return f"{effect.share.share:.0%} [{effect.share.low_95:.0%}, {effect.share.high_95:.0%}]"


def _level_table(found: Importance) -> Table:
    numeric = ["trials", *(_title(found, target) for target in TARGETS)]
    numeric += ["failed"] if found.observations.failed else []
    table = _table("mean by value", Column(), *(Column(name, justify="right") for name in numeric))
    for each in found.hyperparameters:
        for i, level in enumerate(each.levels):
            means = (_mean_text(level, SCORE, 4), _mean_text(level, SECONDS, 2))
            cells = [str(level.trials), *means, str(level.failed)][: len(numeric)]
            table.add_row(Text("" if i else each.name), Text(level.label), *cells)
    return table


def _mean_text(level: Level, target: str, digits: int) -> str:
    if target not in level.means:
        return "-"
    mean = level.means[target]
    text = f"{mean.mean:.{digits}f}"
    if mean.low_95 is not None and mean.high_95 is not None:
        text += f" ± {mean.high_95 - mean.mean:.{digits}f}"
    return text
