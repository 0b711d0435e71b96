import os
from pathlib import Path

import pytest

from tuner.data.dataset import load_dataset
from tuner.data_options import NO_WISHES, DataOptions
from tuner.errors import DataError
from tuner.sources.folders import FolderSource
from tuner.sources.listing import UnreadableError

from .pictures import encoded, picture, png, tree, write_folder
from .refusals import refusal


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


def test_the_digest_changes_with_any_image_and_not_with_the_text_of_other_files(tmp_path: Path) -> None:
    write_folder(tmp_path, {**tree("a", "b", count=2), "README.md": b"no image"})
    before = FolderSource(tmp_path).digest()
    (tmp_path / "README.md").write_text("no image either")
    (tmp_path / ".DS_Store").write_text("hidden")
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


def test_the_digest_changes_with_the_sentences_on_other_files(tmp_path: Path) -> None:
    write_folder(tmp_path, {**tree("a", "b", count=1), "a/film.mov": b""})
    with_film = FolderSource(tmp_path).digest()
    (tmp_path / "a/film.mov").unlink()
    (tmp_path / "c").mkdir()
    with_empty_folder = FolderSource(tmp_path).digest()
    (tmp_path / "c").rmdir()
    assert len({with_film, with_empty_folder, FolderSource(tmp_path).digest()}) == 3


def notes(source: FolderSource, options: DataOptions = NO_WISHES) -> str:
    return "; ".join(source.listing(options).notes)


@pytest.mark.parametrize(
    "name", ["0001", "dl.jpg.1", "query.jpg?size=large", "trail.jpg ", "UP.JPEG", "x.hif"]
)
@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "JPEG2000"]
)
def test_images_of_any_name_are_known_by_their_first_bytes(
    tmp_path: Path, name: str, file_format: str
) -> None:
    files = {**tree("a", "b", count=1), f"a/{name}": encoded(picture(3), file_format)}
    assert FolderSource(write_folder(tmp_path, files)).listing().paths == sorted(files)


@pytest.mark.parametrize("content", [b"", b"BMW and other cars", b"PK", b"\0" * 64, b"\0\0\0\x18ftypmp42"])
def test_other_files_without_a_suffix_are_no_images(tmp_path: Path, content: bytes) -> None:
    source = FolderSource(write_folder(tmp_path, {**tree("a", "b", count=1), "b/LICENSE": content}))
    assert source.listing().paths == ["a/000.png", "b/000.png"]
    assert "1 file in b" in notes(source)


def test_a_pipe_without_a_suffix_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(write_folder(tmp_path, tree("a", "b", count=1)) / "a" / "pipe")
    assert FolderSource(tmp_path).listing().paths == ["a/000.png", "b/000.png"]


def test_files_that_are_no_images_are_counted_by_suffix_and_folder(tmp_path: Path) -> None:
    films = {f"b/{number}.MOV": b"" for number in range(8)}
    texts = {f"{folder}/{number}.txt": b"" for folder in "ab" for number in range(2)}
    source = FolderSource(write_folder(tmp_path, {**tree("a", "b", count=1), **films, **texts, "x.md": b""}))
    said = notes(source)
    for part in ("8 .mov in b", "4 .txt in 2 folders", "1 .md"):
        assert part in said
    assert "8 .mov" not in notes(source, DataOptions(exclude=("*.mov",)))


def test_a_sentence_on_other_files_stays_short(tmp_path: Path) -> None:
    others = {f"a/1.x{letter}": b"" for letter in "abcdefgh"}
    assert "3 more" in notes(FolderSource(write_folder(tmp_path, {**tree("a", "b", count=1), **others})))


def test_empty_folders_are_named_once_for_all_below_them(tmp_path: Path) -> None:
    write_folder(tmp_path, {**tree("a", "b", count=1), "none/.DS_Store": b""})
    (tmp_path / "third/deep/er").mkdir(parents=True)
    assert FolderSource(tmp_path).contents().empty_folders == ("none", "third")
    assert "none, third" in notes(FolderSource(tmp_path))


def test_a_refusal_names_the_files_that_were_passed_over(tmp_path: Path) -> None:
    films = {f"REAL/{number}.mov": b"" for number in range(3)}
    write_folder(tmp_path / "films", {**tree("FAKE", count=2), **films})
    with refusal(DataError, "one class", "FAKE", "3 .mov in REAL"):
        load_dataset(str(tmp_path / "films"), labelled_only=False)
    write_folder(tmp_path / "texts", {"a/1.txt": b"", "b/1.txt": b""})
    with refusal(DataError, "no images", "2 .txt"):
        load_dataset(str(tmp_path / "texts"))


def test_images_in_folders_of_systems_are_counted_and_hidden_ones_are_not(tmp_path: Path) -> None:
    files = tree("a", "b", count=1)
    junk = tree("@eaDir/x", "a/@eaDir", "$Recycle.Bin", ".thumbnails", "__MACOSX/.x", count=1)
    extra = {"a/Thumbs.db": b"", "desktop.ini": b"", "a/.DS_Store": b"", "__MACOSX/a/._000.png": b""}
    source = FolderSource(write_folder(tmp_path, {**files, **junk, **extra}))
    assert source.listing().paths == sorted(files)
    said = notes(source)
    for part in ("2 images in @eaDir", "1 image in $Recycle.Bin"):
        assert part in said
    for part in ("MACOSX", "thumbnails", "Thumbs", "passed over"):
        assert part not in said


def test_tables_are_listed_and_can_be_read(tmp_path: Path) -> None:
    source = FolderSource(write_folder(tmp_path, {**tree("a", "b", count=1), "labels.csv": b"id,label"}))
    (table,) = source.contents().tables
    with source.contents().open_reader() as reader:
        assert (table.path, reader(table.handle)) == ("labels.csv", b"id,label")
    before = source.digest()
    (tmp_path / "labels.csv").write_text("id,class")
    os.utime(tmp_path / "labels.csv", ns=(1, 1))
    assert FolderSource(tmp_path).digest() != before


def test_the_number_of_files_is_told_while_they_are_listed(tmp_path: Path) -> None:
    files = {f"{folder}/{number}.png": b"" for folder in "ab" for number in range(300)}
    files |= {f"{folder}/0.png": png(number) for number, folder in enumerate("ab")}
    told: list[tuple[int, int]] = []
    with refusal(DataError, "598"):
        load_dataset(str(write_folder(tmp_path, files)), progress=lambda *seen: told.append(seen))
    assert [done for done, total in told if total == 0] == [250, 500]
