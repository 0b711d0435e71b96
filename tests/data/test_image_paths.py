import errno
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tests.sources.array_files import X, Y
from tests.sources.pictures import png, tree, write_folder, write_zip
from tests.sources.refusals import refusal
from tuner.data.image_paths import InputImage, InputImages
from tuner.errors import DataError
from tuner.sources.archives import ArchiveSource
from tuner.sources.folders import FolderSource
from tuner.sources.listing import UnreadableError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that relative paths start from."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*references: str, lines: Iterable[str] = ()) -> list[str]:
    return [image.path for image in InputImages(references, lines)]


def read(image: InputImage) -> object:
    with image.open_reader() as reader:
        return reader(image.handle)


def reason(image: InputImage) -> str:
    with pytest.raises(UnreadableError) as caught:
        read(image)
    return str(caught.value)


def test_images_come_in_the_order_in_which_they_are_named(here: Path) -> None:
    write_folder(here, {"b.png": png(1), "a.png": png(2), "f/2.png": png(3), "f/1.png": png(4)})
    assert paths("b.png", "f", "a.png", "b.png") == ["b.png", "f/1.png", "f/2.png", "a.png", "b.png"]


def test_a_folder_holds_the_same_images_in_the_same_order_as_a_data_set(here: Path) -> None:
    files = tree("d/a", "d/a-b", "d/a/b", "d/__MACOSX/a", "d/.hidden", count=2)
    write_folder(here, {**files, "d/a.png": png(0), "d/notes.txt": b"", "d/a/._000.png": b""})
    (here / "d" / "a" / "loop").symlink_to(here / "d", target_is_directory=True)
    listing = FolderSource(here / "d").listing()
    known = {*listing.paths, "a.png"}
    assert paths("d") == [f"d/{path}" for path in sorted(known)]


def test_a_named_file_is_read_whatever_it_is_called(here: Path) -> None:
    write_folder(here, {"picture.data": png(1)})
    assert [read(image) for image in InputImages(["picture.data"])] == [png(1)]


def test_a_named_file_that_comes_in_pieces_is_read_in_full(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(here, {"a.png": png(1)})
    whole = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: whole(descriptor, min(size, 100)))
    assert [read(image) for image in InputImages(["a.png"])] == [png(1)]


def test_an_archive_needs_no_class_folders(here: Path) -> None:
    write_zip(here / "flat.zip", {"b.png": png(1), "a.png": png(2), "notes.txt": b""})
    images = list(InputImages(["flat.zip"]))
    assert [image.path for image in images] == ["flat.zip/a.png", "flat.zip/b.png"]
    assert [read(image) for image in images] == [png(2), png(1)]


def test_an_archive_holds_the_same_images_as_a_data_set(here: Path) -> None:
    path = write_zip(here / "d.zip", tree("a", "b", count=2))
    assert paths("d.zip") == [f"d.zip/{name}" for name in ArchiveSource(path).listing().paths]


def test_a_folder_in_an_archive_is_one_of_images(here: Path) -> None:
    write_zip(here / "d.zip", tree("a", "b", count=1))
    assert paths("d.zip/b") == ["d.zip/b/000.png"]
    with refusal(DataError, "d.zip", "'c'"):
        paths("d.zip/c")


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png"])
def test_an_unsafe_archive_is_refused_before_anything_is_read(here: Path, name: str) -> None:
    write_zip(here / "d.zip", {name: png(1)})
    with refusal(DataError, "d.zip", name, "leads out"):
        InputImages(["d.zip"])


def test_a_pattern_is_what_a_shell_would_make_of_it(here: Path) -> None:
    write_folder(
        here, {"b.png": png(1), "a.png": png(2), "c.jpg": png(3), ".d.png": png(4), "f/e.png": png(5)}
    )
    write_zip(here / "z.zip", {"g.png": png(6)})
    assert paths("*.png") == ["a.png", "b.png"]
    assert paths("[fz]*") == ["f/e.png", "z.zip/g.png"]


@pytest.mark.parametrize("pattern", ["d/**", "d/**/*", "d/*", "d/**/*.png"])
def test_a_pattern_lists_each_image_once(here: Path, pattern: str) -> None:
    write_folder(here, {"d/1.png": png(1), "d/a/2.png": png(2), "d/a/b/3.png": png(3), "d/a.b/4.png": png(4)})
    assert sorted(paths(pattern)) == ["d/1.png", "d/a.b/4.png", "d/a/2.png", "d/a/b/3.png"]


def test_a_file_with_the_name_of_a_pattern_is_that_file(here: Path) -> None:
    write_folder(here, {"a[1].png": png(1), "a1.png": png(2)})
    assert paths("a[1].png") == ["a[1].png"]


def test_lines_are_paths_of_all_kinds_but_patterns(here: Path) -> None:
    write_folder(here, {"a.png": png(1), "f/b.png": png(2)})
    write_zip(here / "z.zip", {"c.png": png(3)})
    given = ["f", "z.zip", "a.png", "*.png"]
    assert paths("-", lines=given) == ["f/b.png", "z.zip/c.png", "a.png", "*.png"]


def test_lines_are_taken_when_they_are_needed() -> None:
    def lines() -> Iterable[str]:
        yield "a.png"
        raise AssertionError("nobody asked for the second")

    assert next(iter(InputImages(["-"], lines()))).path == "a.png"


def test_a_line_that_names_nothing_readable_is_an_image_with_a_reason(here: Path) -> None:
    os.mkfifo(here / "pipe.png")
    write_folder(here, {"broken.zip": b"PK"})
    lines = ["nowhere.png", "pipe.png", "a\0b.png", "broken.zip"]
    missing, pipe, no_path, broken = (reason(image) for image in InputImages(["-"], lines))
    assert missing == os.strerror(errno.ENOENT)
    assert "regular file" in pipe
    assert "path" in no_path
    assert "no zip archive" in broken


def test_names_that_cannot_be_printed_are_read_and_kept(here: Path) -> None:
    name = os.fsdecode(b"\xe4\n.png")
    (here / name).write_bytes(png(7))
    (image,) = InputImages(["."])
    assert (image.path, read(image)) == (f"./{name}", png(7))


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("nowhere.png", ("'nowhere.png'", "path")),
        ("*.gif", ("'*.gif'", "matches nothing")),
        ("empty", ("'empty'", "no images")),
        ("texts.zip", ("'texts.zip'", "no images")),
        ("broken.zip", ("broken.zip", "no zip archive")),
    ],
)
def test_what_names_no_image_is_refused_at_once(here: Path, reference: str, parts: tuple[str, ...]) -> None:
    write_folder(here, {"a.png": png(1), "empty/notes.txt": b"", "broken.zip": b"PK"})
    write_zip(here / "texts.zip", {"notes.txt": b""})
    with refusal(DataError, *parts):
        InputImages(["a.png", reference])


def test_standard_input_is_named_once() -> None:
    with refusal(DataError, "'-'", "twice"):
        InputImages(["-", "-"])


def test_images_are_counted_unless_lines_are_to_come(here: Path) -> None:
    write_folder(here, tree("f", count=3))
    assert InputImages(["f", "f/000.png"]).count() == 4
    assert InputImages(["f", "-"]).count() is None


def test_arrays_hold_images_whether_they_have_labels_or_not(here: Path) -> None:
    np.savez(here / "d.npz", x_train=X, y_train=Y, x_test=X[:2], seed=np.arange(3))
    np.save(here / "x.npy", X)
    images = InputImages(["d.npz"])
    assert [image.path for image in images] == [
        *(f"x_train[{i}]" for i in range(4)),
        "x_test[0]",
        "x_test[1]",
    ]
    np.testing.assert_array_equal(np.asarray(read(list(images)[-1])), X[1])
    assert paths("x.npy", "d.npz")[3:5] == ["x.npy/x[3]", "d.npz/x_train[0]"]
    assert paths("-", lines=["x.npy"])[0] == "x.npy/x[0]"
