import os
from pathlib import Path

import pytest

from tuner.errors import DataError
from tuner.sources import opening
from tuner.sources.archives import ArchiveSource
from tuner.sources.arrays import NpzSource
from tuner.sources.folders import FolderSource
from tuner.sources.opening import open_source

from .pictures import png, tree, write_zip
from .refusals import refusal

FILES = tree("FAKE", "REAL", count=2)


def test_the_kind_of_source_follows_from_the_path(tmp_path: Path) -> None:
    for name in ("a.zip", "B.TGZ", "C.NPZ"):
        (tmp_path / name).touch()
    assert isinstance(open_source(str(tmp_path)), FolderSource)
    assert isinstance(open_source(str(tmp_path / "a.zip")), ArchiveSource)
    assert isinstance(open_source(str(tmp_path / "B.TGZ")), ArchiveSource)
    assert isinstance(open_source(str(tmp_path / "C.NPZ")), NpzSource)


@pytest.mark.parametrize("name", ["data", "data.bin", "data.tar"])
def test_a_zip_archive_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    write_zip(tmp_path / name, FILES)
    assert open_source(str(tmp_path / name)).listing().paths == sorted(FILES)


def test_the_location_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    assert open_source("sub/../sub").location == str(tmp_path / "sub")
    assert open_source(".").name == tmp_path.name


def test_a_demo_that_is_not_installed_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "DEMO_FILE", "not-there.zip.xz")
    with refusal(DataError, "'demo'", "Install kt-search"):
        open_source("demo")


def test_a_missing_path_suggests_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "cifake.zip").touch()
    with refusal(DataError, tmp_path, "'cifak.zip'", "'cifake.zip'"):
        open_source(str(tmp_path / "cifak.zip"))


def test_a_missing_folder_on_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    with refusal(DataError, tmp_path, "'dataset'", "'datasets'"):
        open_source(str(tmp_path / "dataset" / "cifake" / "train"))


def test_a_misspelt_demo_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with refusal(DataError, "'dmeo'", "mean 'demo'"):
        open_source("dmeo")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("d.7z", "7z x"), ("d.rar", "unrar"), ("d.h5", ".npz"), ("d.txt", "folder"), ("d", ".zip")],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str, remedy: str) -> None:
    (tmp_path / name).write_text("x")
    with refusal(DataError, tmp_path / name, ".zip", ".tar", ".npz", remedy):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize(("content", "problem"), [(b"", "empty"), (b"\n<html>", "web page")])
@pytest.mark.parametrize("name", ["d.zip", "d.tar.gz"])
def test_a_failed_download_is_named(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with refusal(DataError, name, problem, "Download"):
        open_source(str(tmp_path / name)).digest()


def test_a_folder_in_an_archive_is_a_data_set(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", tree("set/train/a", "set/train/b", "set/test/a", "other", count=2))
    source = open_source(f"{path}/set/train/")
    assert source.location == f"{path}/set/train"
    assert source.name == "d/set/train"
    assert source.listing().paths == sorted(tree("a", "b", count=2))
    assert source.digest() != open_source(str(path)).digest()


@pytest.mark.parametrize(("wanted", "near"), [("set/trian", "set/train"), ("train", "set/train")])
def test_a_folder_that_is_not_in_the_archive_suggests_another(tmp_path: Path, wanted: str, near: str) -> None:
    path = write_zip(tmp_path / "d.zip", tree("set/train/a", "set/test/a", count=1))
    with refusal(DataError, "d.zip", f"'{wanted}'", f"'{near}'"):
        open_source(f"{path}/{wanted}").listing()


def test_contents_of_an_archive_hold_more_than_images(tmp_path: Path) -> None:
    others = {
        "a/photo": png(1),
        "labels.csv": b"path,label\n",
        "a/readme.txt": b"x",
        "a/notes": b"not an image",
        "b/": b"",
        "c/d/": b"",
        "a/.DS_Store": b"x",
        "__MACOSX/e/": b"",
    }
    path = write_zip(tmp_path / "d.zip", {**tree("a", count=1), **others})
    contents = ArchiveSource(path).contents()
    assert [file.path for file in contents.images] == ["a/000.png", "a/photo"]
    assert [file.path for file in contents.tables] == ["labels.csv"]
    assert contents.passed_over == {("a", "txt"): 1, ("a", ""): 1}
    assert contents.empty_folders == ("b", "c/d")
    with contents.open_reader() as read:
        assert read(contents.tables[0].handle) == others["labels.csv"]


@pytest.mark.parametrize(("first", "remedy"), [(b"Rar!\x1a\x07", "unrar"), (b"7z\xbc\xaf\x27\x1c", "7z x")])
def test_an_archive_of_another_kind_is_known_under_any_name(
    tmp_path: Path, first: bytes, remedy: str
) -> None:
    (tmp_path / "d.zip").write_bytes(first + bytes(100))
    with refusal(DataError, "d.zip", remedy):
        open_source(str(tmp_path / "d.zip"))


def test_a_folder_in_a_file_that_has_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.rar").write_text("x")
    with refusal(DataError, "d.rar", "unrar"):
        open_source(str(tmp_path / "d.rar" / "train"))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d.zip")
    with refusal(DataError, "d.zip", "folder"):
        open_source(str(tmp_path / "d.zip"))


def test_an_empty_reference_is_refused() -> None:
    with refusal(DataError, "''", "--data"):
        open_source("")
