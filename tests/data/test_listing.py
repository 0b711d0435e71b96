from contextlib import nullcontext

import pytest

from tuner.data.listing import NO_SPLIT, File, arrange, is_image_path, printable
from tuner.errors import DataError


@pytest.mark.parametrize("path", ["a/1.jpg", "a/1.JPEG", "a b/ü (2).png", "x.y/1.webp"])
def test_images_are_known_by_their_suffix(path: str) -> None:
    assert is_image_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "README.md",
        ".hidden.jpg",
        "a/._1.jpg",
        ".cache/1.jpg",
        "__MACOSX/a/1.jpg",
        "w/__MACOSX/1.jpg",
    ],
)
def test_other_and_hidden_files_are_no_images(path: str) -> None:
    assert not is_image_path(path)


def test_names_become_printable_on_one_line() -> None:
    assert printable("ü b\n\udce4.png") == r"ü b\x0a\udce4.png".replace(r"\x0a", r"\n")
    printable("\udce4\x9b").encode("utf-8")


def test_images_are_ordered_by_path_and_labelled_alphabetically() -> None:
    files = [File(path, 1, path) for path in ("b/1.png", "a/2.png", "a/1.png", "stray.png")]
    listing = arrange(files, "d", lambda: nullcontext(lambda _: b""))
    assert listing.paths == ["a/1.png", "a/2.png", "b/1.png"]
    assert listing.handles == listing.paths
    assert listing.class_names == ("a", "b")
    assert listing.labels.tolist() == [0, 0, 1]
    assert set(listing.splits.tolist()) == {NO_SPLIT}
    assert [stray.path for stray in listing.unplaced] == ["stray.png"]


def test_no_images_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match=r"\bd\b.*no images.*\bpng\b"):
        arrange([], "d", lambda: nullcontext(lambda _: b""))
