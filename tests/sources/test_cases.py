"""Images as people have them: each form is read right, or refused in a line that names the trouble."""

from collections import Counter
from pathlib import Path

import pytest

from tuner.data.dataset import Dataset, load_dataset
from tuner.data_options import SPLITS, DataOptions
from tuner.errors import DataError, UsageError

from .cases import CASES
from .cases.forms import Case, Reads, Refuses


@pytest.fixture(params=CASES, ids=lambda case: case.name.replace(" ", "_"))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_a_form_of_the_field_is_read_right_or_named(case: Case, tmp_path: Path) -> None:
    source = str(case.pack(tmp_path, case.files()))
    options = DataOptions.model_validate(dict(case.options))
    if isinstance(case.outcome, Refuses):
        with pytest.raises((DataError, UsageError)) as caught:
            load_dataset(source, options)
        text = str(caught.value).replace(str(tmp_path), "")
        assert "\n" not in text
        assert not _missing(case.outcome.words, text), text
    else:
        _require(case.outcome, load_dataset(source, options))


def _require(expected: Reads, dataset: Dataset) -> None:
    assert _counts(dataset) == {split: dict(getattr(expected, split)) for split in SPLITS}
    assert len(dataset.skipped) == expected.skipped, dataset.skipped
    assert set(dataset.group_names) == set(expected.groups), dataset.group_names
    notes = " | ".join(dataset.notes)
    assert not _missing(expected.notes or (), notes), notes
    assert expected.notes is not None or "left out" not in notes, notes
    # Each image is noise: one that is scaled wrongly is dark, bright or flat.
    spread = dataset.images.reshape(len(dataset.images), -1).astype(float).std(axis=1)
    assert expected.flat or spread.min() > 30, spread.min()


def _counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Return the number of images of each class in each official split, in "train" those without one."""
    found: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    for record in dataset.records:
        found[SPLITS[max(int(record["split"]), 0)]][dataset.class_names[record["label"]]] += 1
    return {split: dict(counts) for split, counts in found.items()}


def _missing(words: tuple[str, ...], text: str) -> list[str]:
    return [word for word in words if word.casefold() not in text.casefold()]


def test_names_of_cases_are_unique() -> None:
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []
