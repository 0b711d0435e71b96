"""The wishes of a user on reading images and their labels; part of the request of a search."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from tuner.option_fields import DATA

SPLITS = ("train", "validation", "test")
MIN_SIZE, MAX_SIZE = 8, 1024
"""Smallest and largest image size, in pixels a side, inclusive."""

Resize = Literal["squeeze", "crop", "pad"]


def _percentage(value: object) -> object:
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            raise ValueError("use a share such as 5% or 0.05") from None
    return value


def _label_pattern(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"not a regular expression ({error})") from None
    if groups < 1:
        raise ValueError("mark the label with a group in parentheses, as in '^(cat|dog)'")
    return value


def _names(value: object) -> object:
    """Separate the parts of comma-separated texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)):
        return value
    return tuple(part.strip() for text in texts for part in str(text).split(","))


def _split_folders(value: tuple[str, ...]) -> tuple[str, ...]:
    for pair in value:
        split, _, folder = pair.partition("=")
        if split not in SPLITS or not folder:
            raise ValueError(f"use SPLIT=FOLDER with a split of {', '.join(SPLITS)}, as in test=eval")
    return value


Share = Annotated[float, BeforeValidator(_percentage), Field(ge=0, le=1, allow_inf_nan=False)]
LabelPattern = Annotated[str, AfterValidator(_label_pattern)]
SplitFolders = Annotated[tuple[str, ...], BeforeValidator(_names), AfterValidator(_split_folders)]


OF_FILES = (
    *("splits", "label_from", "label_column", "path_column", "split_column", "group_column", "exclude"),
)
"""Fields on files, folders and tables of labels; arrays need none of them."""


class DataOptions(BaseModel):
    """How images and their labels are read. Each field is an option, a TOML key and a variable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_size: Annotated[int | None, DATA] = Field(
        None,
        ge=MIN_SIZE,
        le=MAX_SIZE,
        description="Side of the square images trained on; default: the most frequent, at most 64, or the "
        "size that the space is made for.",
    )
    resize: Annotated[Resize, DATA] = Field(
        "squeeze",
        description="How images that are no squares become squares: squeeze, crop the middle, or pad with "
        "black.",
    )
    limit: Annotated[int | None, DATA] = Field(
        None,
        ge=1,
        description="Train and validate on a stratified sample of so many images; the test stays whole.",
    )
    limit_test: Annotated[int | None, DATA] = Field(
        None, ge=1, description="Test on a stratified sample of so many images of the test split."
    )
    positive: Annotated[str | None, DATA] = Field(
        None, description="Class that precision, recall and AUROC are about (two classes)."
    )
    exclude: Annotated[tuple[str, ...], DATA] = Field(
        (),
        description="Leave out files that match this pattern, such as '*_mask.png' or 'docs/*'. Repeatable.",
    )
    min_class_images: Annotated[int, DATA] = Field(
        1, ge=1, description="Leave out classes with fewer images."
    )
    max_unusable: Annotated[Share, DATA] = Field(
        0.01, description="Share of images that may be unreadable, such as 5%; the rest is left out."
    )
    strict: Annotated[bool, DATA] = Field(False, description="Refuse a data set with any unreadable image.")
    splits: Annotated[SplitFolders, DATA] = Field(
        (), description="Folders of the splits where their names do not tell: train=NAME,test=NAME."
    )
    label_from: Annotated[LabelPattern | None, DATA] = Field(
        None,
        description="Labels in file names, or with a / in paths: a regular expression whose first group is "
        "the class, as in '^(cat|dog)'.",
    )
    path_column: Annotated[str | None, DATA] = Field(
        None, description="Table of labels: the column of the image file; default: found by name and content."
    )
    label_column: Annotated[str | None, DATA] = Field(
        None, description="Table of labels: the column of the class; default: found by name and content."
    )
    split_column: Annotated[str | None, DATA] = Field(
        None, description="Table of labels: the column of train, validation or test."
    )
    group_column: Annotated[str | None, DATA] = Field(
        None, description="Table of labels: images with one value here stay on one side of a split."
    )
    data_format: Annotated[Literal["channels_last", "channels_first"] | None, DATA] = Field(
        None, description="Arrays: where the channels are; default: found by the shape."
    )

    @property
    def split_of_folder(self) -> dict[str, str]:
        """Split of each folder that `splits` names."""
        pairs = (pair.partition("=") for pair in self.splits)
        return {folder: split for split, _, folder in pairs}


NO_WISHES = DataOptions()
"""The default of each option."""
