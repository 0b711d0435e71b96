"""The code on a model card runs unchanged, with a model that records its input."""

import io
import re
import sys
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tuner.data.decoding import Format, decode
from tuner.models.export import Export
from tuner.models.usage_code import usage
from tuner.sources import heif
from tuner.sources.pixel_range import PixelRange

# Pillow keeps a file of several pictures open, and the code on the card is a script's, which ends.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

UPSIDE_DOWN, ON_ITS_SIDE = 3, 6


def photograph(width, height, mode="RGB"):
    """A picture with edges and noise, in which each pixel left out shows."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    waves = 90 * np.sin(x / 7) * np.cos(y / 5) + 40 * ((x // 31 + y // 17) % 2)
    noise = rng.normal(0, 25, (height, width, 3))
    pixels = np.clip(110 + waves[..., None] + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def seen_by_the_model(folder, monkeypatch, side, channels, **facts):
    """The pixels that the code on the card gives to its model, for the image.png of a folder."""
    given = []
    model = SimpleNamespace(predict=given.append)
    keras = SimpleNamespace(models=SimpleNamespace(load_model=lambda *_, **__: model))
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.chdir(folder)
    export = Export(folder / "model.keras", {"format": "keras", **facts})
    text = usage(export, {"image_shape": [side, side, channels]})
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(code, {})
    return given[0][0]


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("side", [32, 64, 224])
@pytest.mark.parametrize(
    ("image", "form", "options"),
    [
        pytest.param(photograph(1600, 1200), "JPEG", {}, id="landscape"),
        pytest.param(photograph(1201, 1999), "JPEG", {"progressive": True}, id="progressive portrait"),
        pytest.param(photograph(3000, 1031), "JPEG", {"exif": exif(ON_ITS_SIDE)}, id="on its side"),
        pytest.param(photograph(1100, 1100, "L"), "JPEG", {"exif": exif(UPSIDE_DOWN)}, id="grey"),
        pytest.param(photograph(1300, 1000, "CMYK"), "JPEG", {}, id="CMYK"),
        pytest.param(photograph(1024, 1024), "JPEG", {"subsampling": 0, "quality": 95}, id="no subsampling"),
        pytest.param(photograph(129, 1500), "JPEG", {}, id="narrow"),
        pytest.param(
            photograph(1200, 1100),
            "MPO",
            {"save_all": True, "append_images": [photograph(1200, 1100)]},
            id="two pictures in a file",
        ),
        pytest.param(photograph(1400, 1050), "PNG", {}, id="PNG"),
        pytest.param(photograph(1400, 1050, "P"), "PNG", {}, id="palette"),
    ],
)
def test_the_model_of_the_card_sees_the_pixels_of_the_program(
    tmp_path, monkeypatch, image, form, options, side, channels
):
    image.save(tmp_path / "image.png", form, **options)
    seen = seen_by_the_model(tmp_path, monkeypatch, side, channels)
    np.testing.assert_array_equal(
        seen, decode((tmp_path / "image.png").read_bytes(), Format(side, channels)).pixels
    )


@pytest.mark.parametrize("form", ["HEIF", "AVIF", "JPEG2000", "ICO", "TGA"])
def test_other_formats_are_seen_as_in_the_program(tmp_path, monkeypatch, form):
    if form == "HEIF":
        pytest.importorskip("pillow_heif")
        heif.teach_pillow()
    options = {"exif": exif(ON_ITS_SIDE).tobytes()} if form in ("HEIF", "AVIF") else {}
    photograph(200, 130).save(tmp_path / "image.png", form, **options)
    seen = seen_by_the_model(tmp_path, monkeypatch, 64, 3)
    np.testing.assert_array_equal(seen, decode((tmp_path / "image.png").read_bytes(), Format(64, 3)).pixels)


@pytest.mark.parametrize("orientation", [1, ON_ITS_SIDE])
def test_16_bit_grey_is_scaled_as_in_the_program(tmp_path, monkeypatch, orientation):
    deep = np.random.default_rng(0).integers(0, 65536, (1100, 1200), np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG", exif=exif(orientation))
    (tmp_path / "image.png").write_bytes(buffer.getvalue())
    seen = seen_by_the_model(tmp_path, monkeypatch, 64, 3)
    np.testing.assert_array_equal(seen, decode(buffer.getvalue(), Format(64, 3)).pixels)


@pytest.mark.parametrize("resize", ["crop", "pad"])
@pytest.mark.parametrize(("width", "height"), [(1600, 1201), (129, 1500), (64, 80), (10, 7)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_oblong_images_are_cropped_or_padded_as_in_the_program(
    tmp_path, monkeypatch, form, width, height, resize
):
    photograph(width, height).save(tmp_path / "image.png", form)
    seen = seen_by_the_model(tmp_path, monkeypatch, 64, 3, resize=resize)
    np.testing.assert_array_equal(
        seen, decode((tmp_path / "image.png").read_bytes(), Format(64, 3, resize)).pixels
    )


@pytest.mark.parametrize(
    ("pixels", "known"),
    [
        (np.random.default_rng(0).integers(0, 4096, (70, 80), np.uint16), PixelRange(4095)),
        (np.random.default_rng(0).uniform(-1, 1, (70, 80)).astype(np.float32), PixelRange(65535, -1.0, 1.0)),
    ],
)
def test_deep_pixels_have_the_range_of_the_training(tmp_path, monkeypatch, pixels, known):
    Image.fromarray(pixels).save(tmp_path / "image.png", "TIFF")
    seen = seen_by_the_model(tmp_path, monkeypatch, 64, 1, pixel_range=asdict(known))
    form = Format(64, 1, pixel_range=known)
    np.testing.assert_array_equal(seen, decode((tmp_path / "image.png").read_bytes(), form).pixels)
