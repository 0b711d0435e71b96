from pathlib import Path

import pytest

from tuner.data import sources
from tuner.data.folders import FolderSource
from tuner.data.npz import NpzSource
from tuner.data.sources import open_source
from tuner.data.zip import ZipSource
from tuner.errors import DataError

from .refusals import refusal


def test_the_kind_of_source_follows_from_the_path(tmp_path: Path) -> None:
    (tmp_path / "a.zip").touch()
    (tmp_path / "B.NPZ").touch()
    assert isinstance(open_source(str(tmp_path)), FolderSource)
    assert isinstance(open_source(str(tmp_path / "a.zip")), ZipSource)
    assert isinstance(open_source(str(tmp_path / "B.NPZ")), NpzSource)


def test_the_location_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    assert open_source("sub/../sub").location == str(tmp_path / "sub")
    assert open_source(".").name == tmp_path.name


def test_a_demo_that_is_not_installed_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "DEMO_FILE", "not-there.zip.xz")
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


@pytest.mark.parametrize("name", ["d.tar.xz", "d.txt", "d"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with refusal(DataError, tmp_path / name, "neither", ".zip", ".npz"):
        open_source(str(tmp_path / name))


def test_an_empty_reference_is_refused() -> None:
    with refusal(DataError, "''", "--data"):
        open_source("")
