from contextlib import nullcontext

import pytest

from tuner.data_options import NO_WISHES
from tuner.errors import DataError
from tuner.sources.arrangement import arrange
from tuner.sources.contents import Contents, File
from tuner.sources.listing import NO_SPLIT


def contents_of(files):
    return Contents(files, lambda: nullcontext(lambda _: b""))


def test_images_are_ordered_by_path_and_labelled_alphabetically() -> None:
    files = [File(path, 1, path) for path in ("b/1.png", "a/2.png", "a/1.png", "stray.png")]
    listing = arrange(contents_of(files), "d", NO_WISHES)
    assert listing.paths == ["a/1.png", "a/2.png", "b/1.png"]
    assert listing.handles == listing.paths
    assert listing.class_names == ("a", "b")
    assert listing.labels.tolist() == [0, 0, 1]
    assert set(listing.splits.tolist()) == {NO_SPLIT}
    assert any("1 image" in note for note in listing.notes)


def test_no_images_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match=r"\bd\b.*no images.*\bpng\b"):
        arrange(contents_of([]), "d", NO_WISHES)
