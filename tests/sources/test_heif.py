"""Photographs as telephones make them; without the package that reads them, they are named."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.data.dataset import load_dataset
from tuner.data.decoding import Format, decode
from tuner.errors import DataError
from tuner.sources import heif
from tuner.sources.folders import FolderSource

from .pictures import encoded, photograph, tree, write_folder
from .refusals import refusal

ON_ITS_SIDE = 6


def heic(image: Image.Image, orientation: int = 1) -> bytes:
    pytest.importorskip("pillow_heif")
    heif.teach_pillow()
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, "HEIF", exif=exif.tobytes(), quality=95)


@pytest.fixture
def without_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the package is not installed."""
    monkeypatch.setattr(heif, "is_installed", lambda: False)


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "IMG_1.heif", "IMG_1.jpg", "IMG_1"])
def test_a_photograph_in_heif_is_read_under_any_name(tmp_path: Path, name: str) -> None:
    write_folder(tmp_path, {**tree("a", "b", count=3), f"a/{name}": heic(photograph(1))})
    dataset = load_dataset(str(tmp_path), labelled_only=True)
    assert (len(dataset.labels), dataset.skipped) == (7, ())
    assert "passed over" not in str(dataset.notes)


def test_a_photograph_in_heif_is_upright_like_its_jpeg() -> None:
    image = photograph(2, 96).crop((0, 0, 96, 64))
    exif = Image.Exif()
    exif[0x0112] = ON_ITS_SIDE
    jpeg = encoded(image, "JPEG", exif=exif, quality=95)
    seen, expected = (decode(data, Format(32, 3)).pixels for data in (heic(image, ON_ITS_SIDE), jpeg))
    assert np.abs(seen.astype(int) - expected).mean() < 10


def test_a_broken_photograph_in_heif_is_unusable_and_named(tmp_path: Path) -> None:
    broken = heic(photograph(3))[:200]
    write_folder(tmp_path, {**tree("a", "b", count=2), "a/IMG_1.HEIC": broken})
    with refusal(DataError, "a/IMG_1.HEIC", "1 of 5"):
        load_dataset(str(tmp_path))


@pytest.mark.usefixtures("without_heif")
def test_without_its_package_heif_is_passed_over_with_the_way_to_read_it(tmp_path: Path) -> None:
    photographs = {f"REAL/{number}.HEIC": heic(photograph(number)) for number in range(2)}
    write_folder(tmp_path, {**tree("FAKE", count=2), **photographs})
    with refusal(DataError, "one class", "2 .heic in REAL", "kt-search[heif]"):
        load_dataset(str(tmp_path))


@pytest.mark.usefixtures("without_heif")
def test_without_its_package_jpegs_under_the_name_heic_are_read(tmp_path: Path) -> None:
    write_folder(tmp_path, {**tree("a", "b", count=1), "a/1.HEIC": encoded(photograph(1), "JPEG")})
    assert "a/1.HEIC" in FolderSource(tmp_path).listing().paths


@pytest.mark.usefixtures("without_heif")
def test_without_its_package_heif_under_the_name_jpg_is_unusable_with_the_way_to_read_it(
    tmp_path: Path,
) -> None:
    write_folder(tmp_path, {**tree("a", "b", count=2), "a/1.jpg": heic(photograph(1))})
    with refusal(DataError, "a/1.jpg", "kt-search[heif]"):
        load_dataset(str(tmp_path))


def test_several_frames_count_as_the_first() -> None:
    frames = [photograph(seed) for seed in (1, 2)]
    data = io.BytesIO()
    frames[0].save(data, "PNG", save_all=True, append_images=frames[1:])
    assert (decode(data.getvalue(), Format(32, 3)).pixels == np.asarray(frames[0])).all()


def test_an_icon_counts_as_its_largest_picture() -> None:
    image = photograph(1, 48)
    data = encoded(image, "ICO", sizes=[(16, 16), (48, 48)])
    assert (decode(data, Format(48, 3)).pixels == np.asarray(image)).all()
