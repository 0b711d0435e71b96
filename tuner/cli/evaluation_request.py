"""What `tuner evaluate` is asked for, and what makes no sense in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuner.data.sources import open_source
from tuner.errors import UsageError
from tuner.evaluation.labelled_images import LabelledImages
from tuner.evaluation.predictions import Predictions, read_predictions
from tuner.models.loading import ModelFacts


def require_model(models: Sequence[str]) -> str:
    """Return the only model.

    Raises:
        UsageError: there is none.
    """
    if not models:
        raise _missing("MODEL")
    return models[0]


def require_both(models: Sequence[str], sources: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the models and data sets.

    Raises:
        UsageError: there are none of either.
    """
    if not (models and sources):
        raise _missing("--data" if models else "MODEL")
    return models, sources


def own_data(facts: ModelFacts) -> str:
    """Return the data that the only model was made with, where it is a run.

    Raises:
        UsageError: it is a file, which knows no data.
    """
    if facts.source is None:
        raise _missing("--data")
    return facts.source


def data_sets(texts: Sequence[str]) -> list[str]:
    """Return each data set that is named: A,B are two, unless there is a file or folder of that name."""
    parts = ([text] if Path(text).expanduser().exists() else text.split(",") for text in texts)
    return [source for part in parts for source in part]


def class_pairs(texts: Sequence[str]) -> dict[str, str]:
    """Return class of the data -> class of the model, from MODEL=DATA,...

    Raises:
        UsageError: a part is no pair, or a class of the data is in two.
    """
    pairs: dict[str, str] = {}
    for part in ",".join(texts).split(",") if texts else ():
        model_name, sign, data_name = (piece.strip() for piece in part.partition("="))
        if not (model_name and sign and data_name):
            raise UsageError(
                f"--map '{part}' makes no pair. Allowed: MODEL=DATA,... such as REAL=photo,FAKE=generated."
            )
        if data_name in pairs:
            raise UsageError(f"--map names class '{data_name}' of the data twice. Name each once.")
        pairs[data_name] = model_name
    return pairs


def class_maps(
    models: Sequence[ModelFacts], sources: Sequence[str], pairs: Mapping[str, str]
) -> dict[tuple[str, str], dict[str, str]]:
    """Return for each model and data set, by their names, the pairs whose classes both have.

    Raises:
        UsageError: a pair fits none of them.
    """
    # Listing a source takes time; without pairs nobody asks.
    names = {source: open_source(source).listing().class_names if pairs else () for source in sources}
    maps = {
        (facts.name, source): {
            ours: theirs
            for ours, theirs in pairs.items()
            if ours in names[source] and theirs in facts.class_names
        }
        for facts in models
        for source in sources
    }
    used = {pair for found in maps.values() for pair in found.items()}
    for ours, theirs in pairs.items():
        if (ours, theirs) not in used:
            known = "; ".join(f"{source}: {', '.join(classes)}" for source, classes in names.items())
            raise UsageError(
                f"--map {theirs}={ours} fits no model and data set. Allowed: MODEL=DATA, classes of the "
                f"data being {known}. Write the model's class first."
            )
    return maps


def predictions_file(reference: str) -> Predictions:
    """Return what a predictions.csv holds.

    Raises:
        UsageError: it is another file, or makes no sense.
    """
    if not is_csv(reference):
        raise UsageError(
            f"--predictions is compared with a predictions.csv, and '{reference}' is none. "
            "Give such a file, or a model and --data."
        )
    return read_predictions(Path(reference))


def is_csv(reference: str) -> bool:
    """Tell whether a file of predictions is meant, not a model."""
    return Path(reference).suffix == ".csv"


def require_unchanged(images: LabelledImages, run: str, source: str) -> None:
    """Refuse data that are not what a run was made with, where nobody named them."""
    if not images.own:
        raise UsageError(
            f"the data of run '{run}', '{source}', are not what they were. Needed: the same images. "
            "Bring them back, or name others with --data."
        )


def refuse_beside_predictions(names: Sequence[str]) -> None:
    """Refuse what only a model could be asked for."""
    if names:
        raise UsageError(
            f"--predictions holds all that is evaluated; {', '.join(names)} makes no sense beside it. "
            "Leave it out."
        )


def refuse_of_several(names: Sequence[str]) -> None:
    """Refuse what is for one model on one data set."""
    if names:
        raise UsageError(
            f"{', '.join(names)} is for one model on one data set, and there are several. "
            "Leave it out, or give one of each."
        )


def require_free(out: Path | None, names: Sequence[str]) -> None:
    """Refuse before the work what could only be overwritten after it."""
    for name in names:
        if out is not None and (out / name).exists():
            raise UsageError(f"'{out / name}' exists and is not overwritten. Name another folder with --out.")


def _missing(name: str) -> UsageError:
    return UsageError(
        f"{name} is missing. Needed: a model and labelled images, a run, or --predictions. "
        "Type: tuner evaluate model.keras --data images.zip"
    )
