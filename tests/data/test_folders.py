import os
from pathlib import Path

import pytest

from tuner.data.folders import FolderSource
from tuner.data.listing import UnreadableError

from .pictures import png, tree, write_folder


def read(source: FolderSource, path: str) -> object:
    listing = source.listing()
    with listing.open_reader() as reader:
        return reader(listing.handles[list(listing.paths).index(path)])


def test_files_are_found_and_read(tmp_path: Path) -> None:
    files = tree("train/a", "train/b", "test/a", "test/b", count=2)
    source = FolderSource(write_folder(tmp_path, files))
    assert source.listing().paths == sorted(files)
    assert read(source, "test/a/001.png") == files["test/a/001.png"]


def test_a_link_that_leads_back_up_is_not_followed_round(tmp_path: Path) -> None:
    write_folder(tmp_path, tree("a", "b", count=1))
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert FolderSource(tmp_path).listing().paths == ["a/000.png", "b/000.png"]


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    write_folder(tmp_path / "elsewhere", tree("real", count=1))
    write_folder(tmp_path / "data", tree("fake", count=1))
    (tmp_path / "data" / "real").symlink_to(tmp_path / "elsewhere" / "real", target_is_directory=True)
    assert FolderSource(tmp_path / "data").listing().paths == ["fake/000.png", "real/000.png"]


def test_names_that_are_not_utf8_are_read_and_shown(tmp_path: Path) -> None:
    write_folder(tmp_path, tree("a", "b", count=1))
    name = os.fsencode(tmp_path) + b"/a/\xe4\n.png"
    with open(name, "wb") as file:  # noqa: PTH123 - a Path cannot be made of bytes
        file.write(png(7))
    assert read(FolderSource(tmp_path), r"a/\udce4\n.png") == png(7)


def test_a_file_that_comes_in_pieces_is_read_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tree("a", "b", count=2)
    source = FolderSource(write_folder(tmp_path, files))
    digest = source.digest()
    whole = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: whole(descriptor, min(size, 100)))
    assert read(source, "a/001.png") == files["a/001.png"]
    assert FolderSource(tmp_path).digest() == digest


def test_pipes_and_dangling_links_are_unreadable_and_block_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path, tree("a", "b", count=1))
    os.mkfifo(tmp_path / "a" / "pipe.png")
    (tmp_path / "a" / "link.png").symlink_to(tmp_path / "nowhere.png")
    for path in ("a/pipe.png", "a/link.png"):
        with pytest.raises(UnreadableError, match="regular file"):
            read(FolderSource(tmp_path), path)


def test_links_to_themselves_spoil_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path, tree("a", "b", count=1))
    for name in ("loop", "loop.png"):
        (tmp_path / "a" / name).symlink_to(tmp_path / "a" / name)
    assert FolderSource(tmp_path).listing().paths == ["a/000.png", "a/loop.png", "b/000.png"]
    with pytest.raises(UnreadableError, match="regular file"):
        read(FolderSource(tmp_path), "a/loop.png")


def test_hidden_files_and_resource_forks_are_left_out(tmp_path: Path) -> None:
    files = tree("a", "b", count=1)
    hidden = tree("__MACOSX/a", "a/__MACOSX", ".cache", "a/.thumbnails", count=1)
    write_folder(tmp_path, {**files, **hidden, "a/._000.png": b""})
    assert FolderSource(tmp_path).listing().paths == sorted(files)


def test_the_digest_changes_with_any_image_and_with_nothing_else(tmp_path: Path) -> None:
    write_folder(tmp_path, tree("a", "b", count=2))
    before = FolderSource(tmp_path).digest()
    (tmp_path / "README.md").write_text("no image")
    assert FolderSource(tmp_path).digest() == before
    (tmp_path / "a" / "000.png").rename(tmp_path / "a" / "002.png")
    renamed = FolderSource(tmp_path).digest()
    os.utime(tmp_path / "b" / "000.png", ns=(1, 1))
    assert len({before, renamed, FolderSource(tmp_path).digest()}) == 3


def test_the_digest_tells_images_of_the_same_names_sizes_and_times_apart(tmp_path: Path) -> None:
    for folder, level in (("one", b"0"), ("other", b"1"), ("moved", b"0")):
        files = {f"{label}/{number:03}.ppm": level * 12_000 for label in "ab" for number in range(40)}
        for path in write_folder(tmp_path / folder, files).rglob("*.ppm"):
            os.utime(path, ns=(1, 1))
    one, other, moved = (FolderSource(tmp_path / name).digest() for name in ("one", "other", "moved"))
    assert other != one == moved
