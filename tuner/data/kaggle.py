"""Known data sets on Kaggle: fetched by kagglehub, and checked by their numbers of images."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from tuner.data_options import SPLITS
from tuner.errors import DataError, TunerError, UsageError, did_you_mean, one_line
from tuner.path_names import printable
from tuner.sources.listing import NO_SPLIT
from tuner.sources.opening import open_source

TOKEN_PAGE = "https://www.kaggle.com/settings/api"

_SHOWN_CHARACTERS = 300

Counts = dict[str, dict[str, int]]


class FetchError(TunerError):
    """A data set could not be fetched, or has other images than expected."""


@dataclass(frozen=True)
class KaggleSet:
    """A data set on Kaggle."""

    handle: str
    counts: Mapping[str, Mapping[str, int]]
    """Number of images: split -> class -> number."""

    @property
    def page(self) -> str:
        """Address where a browser can download it."""
        return f"https://www.kaggle.com/datasets/{self.handle}"


KAGGLE_SETS = {
    "cifake": KaggleSet(
        "birdy654/cifake-real-and-ai-generated-synthetic-images",
        {"train": {"FAKE": 50_000, "REAL": 50_000}, "test": {"FAKE": 10_000, "REAL": 10_000}},
    ),
    "faces": KaggleSet(
        "xhlulu/140k-real-and-fake-faces",
        {
            "train": {"fake": 50_000, "real": 50_000},
            "validation": {"fake": 10_000, "real": 10_000},
            "test": {"fake": 10_000, "real": 10_000},
        },
    ),
}
"""Source: the pages of the data sets; Bird & Lotfi 2023 (arXiv 2303.14126) for CIFAKE."""


def fetch(name: str, folder: Path | None = None, quiet: bool = False) -> Path:
    """Return the folder of a known data set, downloaded from Kaggle where it was not before.

    Args:
        name: one of KAGGLE_SETS.
        folder: where to put it, a new or empty one; None takes kagglehub's cache.
        quiet: show no progress on stderr.

    Raises:
        UsageError: no such name, kagglehub is not installed, or the folder holds something else.
        FetchError: Kaggle cannot be reached or refuses, or the numbers of images differ.
    """
    if name not in KAGGLE_SETS:
        hint = did_you_mean(name, KAGGLE_SETS, cutoff=0.5)
        raise UsageError(
            f"'{printable(name)}' is no data set that can be fetched.{hint} "
            f"Allowed: {', '.join(KAGGLE_SETS)}. Name one, or download another and give it with --data."
        )
    path = _download(name, folder, quiet)
    _require_known_counts(name, path)
    return path


def count_images(path: Path) -> Counts:
    """Return the images that a source lists in each split and class, without decoding them.

    Images of a source without splits count as "all".

    Raises:
        DataError: the source holds no images in classes.
    """
    listing = open_source(str(path)).listing()
    counts: Counts = {}
    for number in (*range(len(SPLITS)), NO_SPLIT):
        labels = listing.labels[listing.splits == number]
        if len(labels):
            numbers = np.bincount(labels, minlength=len(listing.class_names)).tolist()
            split = "all" if number == NO_SPLIT else SPLITS[number]
            counts[split] = dict(zip(listing.class_names, numbers, strict=True))
    return counts


def _download(name: str, folder: Path | None, quiet: bool) -> Path:
    sink = io.StringIO() if quiet else sys.stderr
    # kagglehub writes to the stdout that it finds when it is imported; ours is for data.
    with redirect_stdout(sink), redirect_stderr(sink):
        try:
            import kagglehub
        except ImportError as error:
            raise UsageError(
                f"'{name}' is fetched by kagglehub, which is not installed ({error}). "
                f"Install it with: pip install 'kt-search[kaggle]'. Or {_by_hand(name)}"
            ) from error
        try:
            output_dir = None if folder is None else str(folder.absolute())
            return Path(kagglehub.dataset_download(KAGGLE_SETS[name].handle, output_dir=output_dir))
        except Exception as error:  # whatever a library does over the network and on disk
            _refuse(name, folder, error)


def _refuse(name: str, folder: Path | None, error: Exception) -> NoReturn:
    """Raise the error of a failed download: in one line why it failed and what to do.

    Raises:
        UsageError, FetchError: always.
    """
    from requests import RequestException  # what kagglehub speaks to Kaggle with

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, FileExistsError) and folder is not None:
        raise UsageError(
            f"'{name}' cannot go to {printable(str(folder))}, which is a file or holds other files. "
            f"Allowed is a new or empty folder. Give another with --to."
        ) from error
    if status in (401, 403):
        problem = (
            f"Kaggle refuses it ({status}). It wants the token of an account: make one at {TOKEN_PAGE} "
            f"and save it as ~/.kaggle/access_token or in KAGGLE_API_TOKEN. Then try again"
        )
    elif status is not None:
        problem = f"Kaggle answers with {status}. Try again later"
    elif isinstance(error, RequestException):
        problem = (
            f"no connection to Kaggle ({type(error).__name__}). "
            f"Fetching needs the internet. Try again when there is a connection"
        )
    elif isinstance(error, OSError):
        problem = (
            f"it cannot be written ({_line(error)}). It needs a writable folder with space for all images. "
            f"Free some space or give another folder with --to"
        )
    else:
        problem = f"kagglehub failed ({type(error).__name__}: {_line(error)}). Try again"
    raise FetchError(f"'{name}' was not fetched: {problem}, or {_by_hand(name)}") from error


def _by_hand(name: str) -> str:
    page = KAGGLE_SETS[name].page
    return f"download {page} with a browser and give the zip as it is: --data path/to/archive.zip"


def _line(error: Exception) -> str:
    """Return the message of an error on one line."""
    return printable(one_line(error))[:_SHOWN_CHARACTERS]


def _require_known_counts(name: str, path: Path) -> None:
    again = "Delete that folder and fetch again"
    try:
        found = _flat(count_images(path))
    except DataError as error:
        raise FetchError(f"'{name}' came without images in classes. {error} {again}.") from error
    known = _flat(KAGGLE_SETS[name].counts)
    differences = [
        f"{split} {label} has {found[split, label]:,} instead of {known[split, label]:,}"
        for split, label in sorted(found | known)
        if found[split, label] != known[split, label]
    ]
    if differences:
        raise FetchError(
            f"'{name}' in {printable(str(path))} is not as it is known: {', '.join(differences)}. "
            f"The download may be incomplete, or the set has changed. {again}, or take it as it is: "
            f"--data {printable(str(path))}"
        )


def _flat(counts: Mapping[str, Mapping[str, int]]) -> Counter[tuple[str, str]]:
    return Counter({(split, label): counts[split][label] for split in counts for label in counts[split]})
