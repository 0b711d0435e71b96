"""Images of more than 8 bits a channel: one range for all of a data set."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.sources.pictures import SIDE, encoded, picture, png, write_folder
from tests.sources.refusals import refusal
from tuner.data import preparation
from tuner.data.dataset import Dataset, load_dataset
from tuner.data.decoding import Format, decode, read_extremes
from tuner.data.image_paths import InputImages
from tuner.data.stream import decode_stream
from tuner.errors import DataError
from tuner.sources.pixel_range import PixelRange, integer_max

Pixels = npt.NDArray[np.uint8]


def grey(seed: int) -> Pixels:
    """Pixels of 8 bits, 0 and 255 among them."""
    pixels = np.asarray(picture(seed, mode="L")).copy()
    pixels[0, :2] = 0, 255
    return pixels


def bits(number: int, ending: str = "png") -> tuple[Callable[[Pixels], bytes], str]:
    """Return a way to write pixels as integers of so many bits in a 16-bit file."""

    def write(pixels: Pixels) -> bytes:
        deep = pixels.astype(np.uint32) * (2**number - 1) // 255
        return encoded(Image.fromarray(deep.astype(np.uint16)), ending.upper())

    return write, ending


def floats(low: float, high: float) -> tuple[Callable[[Pixels], bytes], str]:
    """Return a way to write pixels as floats from `low` to `high`."""

    def write(pixels: Pixels) -> bytes:
        return encoded(Image.fromarray((low + pixels / 255 * (high - low)).astype(np.float32)), "TIFF")

    return write, "tiff"


EIGHT = (lambda pixels: encoded(Image.fromarray(pixels))), "png"
Way = tuple[Callable[[Pixels], bytes], str]


def folder(path: Path, count: int = 8, **ways: Way) -> Path:
    """Write images in folders; "train_a" is the folder train/a. The same seeds in each way of writing."""
    return write_folder(
        path,
        {
            f"{name.replace('_', '/')}/{seed}.{ending}": write(grey(100 * place + seed))
            for place, (name, (write, ending)) in enumerate(ways.items())
            for seed in range(count)
        },
    )


def loaded(path: Path, count: int = 8, **ways: Way) -> Dataset:
    return load_dataset(str(folder(path, count, **ways)))


def notes(dataset: Dataset) -> list[str]:
    """Return the notes on pixels."""
    return [note for note in dataset.notes if "ixels" in note]


@pytest.mark.parametrize(
    ("way", "parts"),
    [
        (bits(10), ("16 16-bit images", "1023", "10 bits")),
        (bits(12), ("4095", "12 bits")),
        (bits(14), ("16383", "14 bits")),
        (bits(16), ("65535", "16 bits")),
        (bits(12, "tiff"), ("4095", "12 bits")),
        (floats(0, 1), ("16 images", "0..1")),
        (floats(0, 1.0000001), ("0..1",)),
        (floats(0, 1.2), ("0..1.2",)),
        (floats(-1, 1), ("from -1 to 1", "-1..1")),
        (floats(0, 255), ("0..255",)),
        (floats(0, 4095), ("0..4095",)),
    ],
)
def test_deep_pixels_become_those_of_8_bits_and_it_is_said(
    tmp_path: Path, way: Way, parts: tuple[str, ...]
) -> None:
    dataset = loaded(tmp_path, a=way, b=way)
    expected = np.stack([grey(100 * place + seed) for place in (0, 1) for seed in range(8)])[..., None]
    np.testing.assert_allclose(dataset.images.astype(int), expected, atol=1)
    (note,) = notes(dataset)
    assert [part for part in parts if part not in note] == []


def test_floats_that_overshoot_a_little_are_cut_off(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, a=floats(-0.001, 1.001), b=floats(0, 1))
    np.testing.assert_allclose(dataset.images[0, ..., 0].astype(int), grey(0), atol=1)
    assert "1.001" in notes(dataset)[0]


def test_a_dark_image_stays_darker_than_its_neighbours(tmp_path: Path) -> None:
    source = folder(tmp_path, a=floats(0, 255), b=floats(0, 255))
    dark = Image.fromarray(np.full((SIDE, SIDE), 0.5, np.float32))
    (source / "a" / "dark.tiff").write_bytes(encoded(dark, "TIFF"))
    dataset = load_dataset(str(source))
    assert dataset.images[dataset.paths.index("a/dark.tiff")].max() <= 1


def test_an_image_of_8_bits_keeps_its_pixels_among_deep_ones(tmp_path: Path) -> None:
    source = folder(tmp_path, a=bits(12), b=bits(12))
    (source / "a" / "plain.png").write_bytes(png(7))
    dataset = load_dataset(str(source))
    np.testing.assert_array_equal(dataset.images[dataset.paths.index("a/plain.png")], np.asarray(picture(7)))


def test_a_range_that_the_sample_misses_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "_HEADER_SAMPLE", 1)
    source = folder(tmp_path, a=EIGHT, b=bits(12))
    faint = Image.fromarray(grey(0).astype(np.uint16) * 2)
    (source / "a" / "0.png").write_bytes(encoded(faint))
    dataset = load_dataset(str(source))
    assert dataset.pixel_range.integer_max == 4095
    assert dataset.pixel_stats.maximum == 255
    np.testing.assert_allclose(dataset.images[8, ..., 0].astype(int), grey(100), atol=1)


@pytest.mark.parametrize(
    ("train", "test", "parts"),
    [
        (floats(0, 1), floats(0, 255), ("'train/a'", "0..1", "'test/", "0..255")),
        (floats(-1, 1), floats(0, 1), ("'train/a'", "-1..1", "'test/", "0..1")),
        (bits(12), bits(16), ("'train'", "0..4095", "'test'", "0..65535")),
    ],
)
def test_splits_in_different_ranges_are_refused(
    tmp_path: Path, train: Way, test: Way, parts: tuple[str, ...]
) -> None:
    source = folder(tmp_path, train_a=train, train_b=train, test_a=test, test_b=test)
    with refusal(DataError, source, *parts):
        load_dataset(str(source))


def test_classes_of_floats_in_different_ranges_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path, a=floats(0, 1), b=floats(0, 255))
    with refusal(DataError, source, "'a'", "0..1", "'b'", "0..255"):
        load_dataset(str(source))


def test_a_class_of_darker_integers_is_no_other_range_but_has_a_warning(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, a=bits(10), b=bits(16))
    assert dataset.images[:8].max() <= 4
    _, warning = notes(dataset)
    for part in ("warning:", "'a'", "1023"):
        assert part in warning


def test_a_split_of_zeros_and_ones_beside_others_is_refused(tmp_path: Path) -> None:
    ones = (lambda pixels: encoded(Image.fromarray(pixels // 128))), "png"
    source = folder(tmp_path, train_a=EIGHT, train_b=EIGHT, test_a=ones, test_b=ones)
    with refusal(DataError, source, "'test'", "'train'", "by 255"):
        load_dataset(str(source))


def test_floats_of_two_ranges_in_one_class_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path, a=floats(-1, 1), b=floats(-1, 1))
    write, _ = floats(0, 255)
    for name in "ab":
        (source / name / "other.tiff").write_bytes(write(grey(999)))
    with refusal(DataError, source, "'a'", "from -1 to 255", "0..255"):
        load_dataset(str(source))


def test_floats_of_no_known_range_are_named(tmp_path: Path) -> None:
    source = folder(tmp_path, a=floats(-3, 3), b=floats(-3, 3))
    with refusal(DataError, source, "'a/0.tiff'", "from -3 to 3", "-1..1"):
        load_dataset(str(source))


@pytest.mark.parametrize("highest", [1, 20])
def test_images_of_hardly_any_contrast_have_a_warning(tmp_path: Path, highest: int) -> None:
    def faint(pixels: Pixels) -> bytes:
        return encoded(Image.fromarray(((pixels.astype(int) * highest + 127) // 255).astype(np.uint8)))

    (note,) = notes(loaded(tmp_path, a=(faint, "png"), b=(faint, "png")))
    for part in ("warning:", f"from 0 to {highest}", f"by {255 // highest}"):
        assert part in note


def test_a_data_set_knows_its_pixels(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, a=EIGHT, b=EIGHT, count=70)  # more than one chunk
    stats = dataset.pixel_stats
    assert (stats.minimum, stats.maximum) == (0, 255)
    assert stats.mean == pytest.approx(dataset.images.mean())
    assert notes(dataset) == []
    assert load_dataset(dataset.source).pixel_stats == stats


def test_images_outside_of_the_range_of_a_model_are_named(tmp_path: Path) -> None:
    folder(tmp_path, 1, a=bits(12), b=bits(16))
    form = Format(SIDE, 1, pixel_range=PixelRange(4095))
    (found,) = decode_stream(InputImages([str(tmp_path)]), form)
    np.testing.assert_allclose(found.pixels[0, ..., 0].astype(int), grey(0), atol=1)
    assert found.problems[0] is None
    assert "65535" in str(found.problems[1])
    assert "0..4095" in str(found.problems[1])


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def deep_colours(values: npt.NDArray[np.uint16], extra: bytes = b"") -> bytes:
    """Return a PNG of 16 bits a channel; Pillow writes none. Shape (height, width, 3 or 4)."""
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    pixels = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + pixels


def test_16_bit_colours_keep_their_lower_bits(tmp_path: Path) -> None:
    files = {
        f"{name}/{seed}.png": deep_colours(np.asarray(picture(seed + start)).astype(np.uint16) * 16)
        for name, start in (("a", 0), ("b", 8))
        for seed in range(8)
    }
    dataset = load_dataset(str(write_folder(tmp_path, files)))
    assert dataset.pixel_range.integer_max == 4095
    np.testing.assert_allclose(dataset.images[0].astype(int), np.asarray(picture(0)), atol=1)


def test_16_bit_colours_are_turned_as_their_exif_data_say() -> None:
    values = np.zeros((SIDE, 2 * SIDE, 3), np.uint16)
    values[:, SIDE:] = 4095  # the right half
    exif = Image.Exif()
    exif[0x0112] = 6  # right becomes bottom
    data = deep_colours(values, chunk(b"eXIf", exif.tobytes()[6:]))
    for known in (read_extremes(data), decode(data, Format(SIDE, 3)).extremes):
        assert known == (0, 4095, False)
    pixels = decode(data, Format(SIDE, 3, pixel_range=PixelRange(4095))).pixels
    assert pixels[: SIDE // 2 - 1].max() < 20
    assert pixels[SIDE // 2 + 1 :].min() > 235


def test_opacity_of_16_bit_colours_is_of_16_bits() -> None:
    values = np.full((SIDE, SIDE, 4), 4095, np.uint16)
    values[..., 1], values[..., 3] = 0, 65535
    values[0, ..., 3] = 0
    found = decode(deep_colours(values), Format(SIDE, 3, pixel_range=PixelRange(4095))).pixels
    assert (found[0] == 255).all()
    assert (found[1:] == (255, 0, 255)).all()


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [(0, 255), (255, 255), (256, 1023), (4080, 4095), (4096, 16383), (16384, 65535), (65535, 65535)],
)
def test_the_bits_of_integers_are_the_fewest_that_hold_them(maximum: int, expected: int) -> None:
    assert integer_max(maximum) == expected
