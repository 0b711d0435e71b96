"""The data set of a run, with the splits of the run."""

from __future__ import annotations

from collections.abc import Callable

from tuner.data.dataset import Dataset, load_dataset
from tuner.errors import DataError
from tuner.models.loading import trained_on
from tuner.results.query import RunView


def run_images(
    run: RunView,
    data: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> Dataset:
    """Return the data set of a run, with the splits of the run.

    Args:
        data: Its place now; default: its place at the start of the run.
        progress: Called with (done, total) while images are decoded.
        tell: Called with each note on the images that the run has not on record.

    Raises:
        DataError: it is gone or has changed.
    """
    facts, known = run.facts["data"], trained_on(run.facts)
    source = data or facts["source"]
    size, _, channels = facts["image_shape"]
    try:
        dataset = load_dataset(
            source,
            run.config.model_copy(update={"image_size": size, "positive": facts["positive_class"]}),
            channels=channels,
            seed=known.seed,
            progress=progress,
        )
    except DataError as error:
        raise DataError(f"no images of run '{run.run_id}': {error} Or name them with --data.") from None
    if dataset.fingerprint != known.fingerprint:
        raise DataError(
            f"'{source}' is not the data set of run '{run.run_id}': its fingerprint is "
            f"{dataset.fingerprint}, not {known.fingerprint}. Name the images of the run with --data."
        )
    for text in dataset.notes:
        if tell and text not in facts.get("notes", dataset.notes):
            tell(text)
    return dataset
