import io
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.sources.pictures import SIDE, encoded, picture, png
from tuner.data import decoding
from tuner.data.decoding import Format, decode, quiet_pillow, read_header
from tuner.data_options import Resize
from tuner.sources.listing import UnreadableError

RGB = Format(SIDE, 3)
GREY = Format(SIDE, 1)


def plain(color: Any, mode: str) -> Image.Image:
    return Image.new(mode, (SIDE, SIDE), color)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "JPEG2000", "TGA"])
def test_lossless_formats_keep_their_pixels(file_format: str) -> None:
    options = {"lossless": True} if file_format == "WEBP" else {}
    decoded = decode(encoded(picture(1), file_format, **options), RGB)
    np.testing.assert_array_equal(decoded.pixels, np.asarray(picture(1)))
    assert decoded.header == (SIDE, SIDE, "RGB", 0)


def test_a_jpeg_is_decoded_and_its_tables_are_noted() -> None:
    fine = decode(encoded(picture(1), "JPEG", quality=95), RGB)
    coarse = decode(encoded(picture(1), "JPEG", quality=30), RGB)
    assert fine.pixels.shape == (SIDE, SIDE, 3)
    assert 0 < fine.header.jpeg_tables < coarse.header.jpeg_tables


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (plain(200, "L"), (200, 200, 200)),
        (plain(1, "1"), (255, 255, 255)),
        (plain((10, 20, 30, 0), "RGBA"), (255, 255, 255)),
        (plain((10, 20, 30, 255), "RGBA"), (10, 20, 30)),
        (plain((0, 0, 0, 51), "RGBA"), (204, 204, 204)),
        (plain((100, 0), "LA"), (255, 255, 255)),
        (plain((10, 20, 30), "RGB").quantize(4), (10, 20, 30)),
        (Image.fromarray(np.full((SIDE, SIDE), 40000, np.uint16)), (156, 156, 156)),
    ],
)
def test_every_mode_becomes_rgb(image: Image.Image, expected: tuple[int, int, int]) -> None:
    assert (decode(encoded(image), RGB).pixels == expected).all()


def test_cmyk_becomes_rgb() -> None:
    data = encoded(plain((0, 0, 0, 0), "CMYK"), "TIFF")
    assert (decode(data, RGB).pixels == 255).all()


def test_floats_and_32_bit_integers_are_scaled() -> None:
    floats = Image.fromarray(np.full((SIDE, SIDE), 0.5, np.float32))
    integers = Image.fromarray(np.full((SIDE, SIDE), 65535, np.int32))
    assert (decode(encoded(floats, "TIFF"), GREY).pixels == 128).all()
    assert (decode(encoded(integers, "TIFF"), GREY).pixels == 255).all()
    with pytest.raises(UnreadableError, match=r"\b65536\b.*\b65535\b"):
        decode(encoded(Image.fromarray(np.full((SIDE, SIDE), 65536, np.int32)), "TIFF"), GREY)


def test_16_bit_values_are_scaled_with_rounding() -> None:
    x = np.resize(np.array([0, 128, 129, 257, 65535 - 129, 65535 - 128, 65535], np.uint16), (SIDE, SIDE))
    assert decode(encoded(Image.fromarray(x)), GREY).pixels[0, :7, 0].tolist() == [0, 0, 1, 1, 254, 255, 255]


def test_a_transparent_palette_entry_is_laid_on_white() -> None:
    image = plain(0, "P")
    image.putpalette([10, 20, 30] * 256)
    assert (decode(encoded(image, transparency=0), RGB).pixels == 255).all()
    assert (decode(encoded(image, transparency=1), RGB).pixels == (10, 20, 30)).all()


def test_a_transparent_colour_is_laid_on_white() -> None:
    assert (decode(encoded(plain((1, 2, 3), "RGB"), transparency=(1, 2, 3)), RGB).pixels == 255).all()


def test_colours_become_grey_when_one_channel_is_wanted() -> None:
    decoded = decode(png(1), GREY)
    assert decoded.pixels.shape == (SIDE, SIDE, 1)
    np.testing.assert_array_equal(decoded.pixels[..., 0], np.asarray(picture(1).convert("L")))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_exif_rotation_is_applied(file_format: str) -> None:
    image = Image.new("RGB", (16, SIDE), "black")
    image.paste("white", (8, 0, 16, SIDE))  # the right half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise by a quarter: right becomes bottom
    decoded = decode(encoded(image, file_format, exif=exif), RGB)
    assert decoded.pixels[SIDE // 2 + 1 :].mean() > 240
    assert decoded.pixels[: SIDE // 2 - 1].mean() < 15
    assert decoded.header[:2] == (16, SIDE)


def test_broken_exif_does_not_lose_the_picture() -> None:
    data = encoded(picture(1), "JPEG", exif=b"Exif\0\0rubbish")
    with quiet_pillow():
        assert decode(data, RGB).pixels.shape == (SIDE, SIDE, 3)


def test_large_images_are_reduced_without_aliasing() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    for file_format in ("PNG", "JPEG"):
        pixels = decode(encoded(Image.fromarray(stripes), file_format), RGB).pixels
        assert abs(pixels.astype(int) - 127).max() <= 4


@pytest.mark.parametrize("resize", ["squeeze", "crop", "pad"])
@pytest.mark.parametrize("size", [(3, 20), (1000, 10), (1, 1), (SIDE, SIDE + 1)])
def test_small_and_oblong_images_become_the_square(size: tuple[int, int], resize: Resize) -> None:
    assert decode(encoded(picture(1, size)), Format(SIDE, 3, resize)).pixels.shape == (SIDE, SIDE, 3)


def thirds(file_format: str, **options: Any) -> bytes:
    """Return an image 96 wide and 32 high: a grey third, a white one, a grey one."""
    image = Image.new("RGB", (96, 32), (100, 100, 100))
    image.paste("white", (32, 0, 64, 32))
    return encoded(image, file_format, **options)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_an_oblong_image_is_squeezed_cropped_or_padded(file_format: str) -> None:
    data = thirds(file_format)

    def resized(resize: Resize) -> Any:
        return decode(data, Format(12, 3, resize)).pixels[..., 0].astype(int)

    np.testing.assert_allclose(resized("crop"), 255, atol=12)
    squeezed, padded = resized("squeeze"), resized("pad")
    np.testing.assert_allclose(squeezed[:, [0, 1, 6, 10, 11]], [[100, 100, 255, 100, 100]] * 12, atol=8)
    np.testing.assert_allclose(padded[4:8, [0, 1, 6, 10, 11]], [[100, 100, 255, 100, 100]] * 4, atol=8)
    assert (padded[:4] == 0).all()
    assert (padded[8:] == 0).all()


def test_an_image_is_turned_before_it_is_padded() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = decode(thirds("JPEG", exif=exif), Format(12, 3, "pad")).pixels
    assert (pixels[:, :4] == 0).all()
    assert (pixels[:, 4:8] > 90).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"no image at all", "not an image"),
        (encoded(picture(1, (64, 64)), "JPEG")[:-200], "truncated"),
        (encoded(picture(1, (64, 64)))[:-200], "truncated"),
        (encoded(picture(1))[:30], "cut off|truncated|not an image"),
        (encoded(picture(1), "EPS"), "not an image"),
    ],
)
def test_broken_and_foreign_files_are_unreadable(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason) as caught:
        decode(data, RGB)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "TIFF", "BMP"])
def test_no_damage_raises_anything_but_unreadable(file_format: str) -> None:
    data = encoded(picture(1, (20, 20)), file_format)
    rng = np.random.default_rng(0)
    with quiet_pillow():
        for _ in range(60):
            damaged = bytearray(data)
            for at in rng.integers(0, len(data), 4):
                damaged[at] = rng.integers(0, 256)
            with suppress(UnreadableError):
                assert decode(bytes(damaged), RGB).pixels.shape == (SIDE, SIDE, 3)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    header = io.BytesIO()
    Image.new("1", (1, 1)).save(header, "BMP")
    data = bytearray(header.getvalue())
    data[18:26] = (20000).to_bytes(4, "little") * 2
    assert decoding.MAX_PIXELS < 20000**2
    with quiet_pillow(), pytest.raises(UnreadableError, match="89,478,485"):
        read_header(bytes(data))
    data[18:26] = (10000).to_bytes(4, "little") * 2  # between Pillow's warning and its error
    with quiet_pillow(), pytest.raises(UnreadableError, match="89,478,485"):
        read_header(bytes(data))
