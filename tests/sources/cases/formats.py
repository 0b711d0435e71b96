"""Files of images: formats, depths of pixels, and damage."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .forms import Case, Files, Reads, Refuses, each, image, images, in_folder, noise, saved, zipped

TWO = each("FAKE,REAL")
MORE = {"FAKE": 6, "REAL": 7}


def with_one(data: Callable[[], bytes], name: str = "one.png") -> Callable[[], Files]:
    """Return two classes with one file more in REAL."""
    return lambda: images("{FAKE,REAL}") | {f"REAL/{name}": data()}


def both(make: Callable[[], bytes], suffix: str = "png", count: int = 6) -> Callable[[], Files]:
    """Return two classes of such files."""
    return lambda: {f"{name}/{k}.{suffix}": make() for name in TWO for k in range(count)}


def heic(**options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    picture = Image.fromarray(noise()).resize((64, 64), Image.Resampling.NEAREST)
    pillow_heif.from_pillow(picture).save(buffer, quality=90, **options)
    return buffer.getvalue()


def deep(maximum: int, dtype: type = np.uint16, suffix: str = "png") -> bytes:
    """Return a grey image with all of 0..maximum among its pixels."""
    values = noise(8, 8).astype(float) * maximum / 255
    return saved(Image.fromarray(np.rint(values).astype(dtype)), "TIFF" if suffix == "tif" else "PNG")


def float_tif(low: float, high: float) -> bytes:
    values = noise(8, 8).astype(np.float32) / 255 * (high - low) + low
    return saved(Image.fromarray(values.astype(np.float32)), "TIFF")


def frames(file_format: str) -> bytes:
    first, *others = (Image.open(io.BytesIO(image())) for _ in range(3))
    return saved(first, file_format, save_all=True, append_images=others)


def png_of_16_bits() -> bytes:
    """Return an RGB image with 16 bits a channel, which Pillow cannot write."""
    lines = b"".join(b"\0" + line.tobytes() for line in (noise().astype(np.uint16) * 257).astype(">u2"))
    head = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, data) for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def vast() -> bytes:
    """Return an image that claims 60,000 x 60,000 pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def with_vast_text() -> bytes:
    data = image()
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 2**23))
    return data[:33] + text + data[33:]


def levels(count: int) -> bytes:
    return saved(Image.fromarray(noise() // (256 // count)), "PNG")


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return image("jpg", size=(16, 8), exif=exif)


def see_through() -> bytes:
    picture = Image.fromarray(noise()).convert("RGBA")
    picture.putalpha(128)
    return saved(picture, "PNG")


def linked(root: Path, files: Files) -> Path:
    """Link the classes from a folder of their own, with a circle in one."""
    store, links = in_folder(root, files), root / "links"
    links.mkdir()
    for name in TWO:
        (links / name).symlink_to(store / name)
    (store / "FAKE" / "loop").symlink_to(links)
    return links


def with_dangling_link(root: Path, files: Files) -> Path:
    source = in_folder(root, files)
    (source / "REAL" / "dangling.png").symlink_to("/nowhere/x.png")
    return source


def in_bytes(root: Path, files: Files) -> Path:
    """Add a class whose name is not UTF-8."""
    source = in_folder(root, files)
    (source / "REAL").rename(source / os.fsdecode(b"caf\xe9"))
    return source


FORMATS = [
    *(
        Case(f"a {mode} {suffix}", with_one(partial(image, suffix, mode), f"one.{suffix}"), Reads(MORE))
        for suffix, mode in (
            *(("jpg", "L"), ("jpg", "CMYK"), ("png", "1"), ("png", "P"), ("png", "LA"), ("bmp", "RGB")),
            *(("webp", "RGB"), ("avif", "RGB"), ("tif", "RGB"), ("gif", "P"), ("ico", "RGB"), ("jp2", "RGB")),
            *(("tga", "RGB"), ("pgm", "L"), ("tif", "CMYK"), ("webp", "RGBA")),
        )
    ),
    *(
        Case(f"a file called {name}", with_one(lambda: image("jpg"), name), Reads(MORE))
        for name in (
            *("UP.JPG", "x.jfif", "two.dots.in.name.jpg", "space name .jpg", "trail.jpg ", "dl.jpg.1"),
            *("query.jpg?size=large", "bare", "jpeg.png", "x.jpeg_large", "x.jpg!d", "x.jpg@100w", "x.heic"),
        )
    ),
    Case("no suffix at all", lambda: images("{FAKE,REAL}", name="{}"), Reads(TWO)),
    Case("a portrait of two images", with_one(lambda: frames("MPO"), "IMG_1.JPG"), Reads(MORE)),
    Case("a progressive jpg", with_one(partial(image, "jpg", progressive=True), "p.jpg"), Reads(MORE)),
    Case("an animated gif", with_one(lambda: frames("GIF"), "a.gif"), Reads(MORE)),
    Case("an animated webp", with_one(lambda: frames("WEBP"), "a.webp"), Reads(MORE)),
    Case("an animated png", with_one(lambda: frames("PNG")), Reads(MORE)),
    Case("a tif of pages", with_one(lambda: frames("TIFF"), "a.tif"), Reads(MORE)),
    Case("a turned photograph", with_one(turned, "t.jpg"), Reads(MORE)),
    Case("a png half transparent", both(see_through), Reads(TWO)),
    Case("photographs of a telephone", both(heic, "HEIC"), Reads(TWO)),
    Case("a photograph of a telephone called jpg", with_one(heic, "IMG_0001.jpg"), Reads(MORE)),
    Case(
        "one class png, the other jpg",
        lambda: images("fake") | {f"real/{k}.jpg": image("jpg") for k in range(6)},
        Reads(each("fake,real")),
    ),
    Case(
        "strips and points",
        lambda: (
            images("{FAKE,REAL}")
            | {"REAL/strip.png": image(size=(400, 8)), "FAKE/point.png": image(size=(2, 1))}
        ),
        Reads(each("FAKE,REAL", 7), flat=True),
    ),
    Case("linked folders", lambda: images("{FAKE,REAL}"), Reads(TWO), pack=linked),
    Case(
        "a class that is not utf-8",
        lambda: images("{FAKE,REAL}"),
        Reads(each("FAKE,caf\\udce9")),
        pack=in_bytes,
    ),
]

WIDE = [
    Case(f"wide images, {way}", both(lambda: image(size=(24, 8))), Reads(TWO), {"resize": way})
    for way in ("squeeze", "crop", "pad")
]

DEPTHS = [
    Case("16 bits", both(lambda: deep(65535)), Reads(TWO)),
    Case("16 bits among 8", with_one(lambda: deep(65535)), Reads(MORE)),
    *(
        Case(f"{bits} bits in 16", both(partial(deep, 2**bits - 1)), Reads(TWO, notes=(str(2**bits - 1),)))
        for bits in (10, 12, 14)
    ),
    Case("12 bits in a tif", both(lambda: deep(4095, suffix="tif"), "tif"), Reads(TWO, notes=("4095",))),
    Case("32 bits", both(lambda: deep(65535, np.int32, "tif"), "tif"), Reads(TWO)),
    Case("12 bits in 32", both(lambda: deep(4095, np.int32, "tif"), "tif"), Reads(TWO, notes=("4095",))),
    Case("16 bits a channel", both(png_of_16_bits), Reads(TWO)),
    Case("values of 0 and 1", both(lambda: levels(2)), Reads(TWO, notes=("0", "1"), flat=True)),
    Case("values of 0 to 15", both(lambda: levels(16)), Reads(TWO, notes=("15",), flat=True)),
    Case("floats to 1", both(lambda: float_tif(0, 1), "tif"), Reads(TWO)),
    Case("floats just above 1", both(lambda: float_tif(0, 1.001), "tif"), Reads(TWO)),
    Case("floats to 255", both(lambda: float_tif(0, 255), "tif"), Reads(TWO)),
    Case("floats from -1", both(lambda: float_tif(-1, 1), "tif"), Reads(TWO, notes=("-1",))),
    Case(
        "floats to 1 beside floats to 255",
        lambda: (
            {f"train/{name}/{k}.tif": float_tif(0, 1) for name in TWO for k in range(6)}
            | {f"test/{name}/{k}.tif": float_tif(0, 255) for name in TWO for k in range(3)}
        ),
        Refuses("train", "test", "255"),
    ),
    Case(
        "a dark image among 12 bits",
        lambda: both(lambda: deep(4095))() | {"REAL/dark.png": deep(2000)},
        Reads(MORE, notes=("4095",)),
    ),
]

DAMAGE = [
    *(
        Case(f"{what} among images", with_one(data, f"{name}"), Refuses(name, "--max-unusable"))
        for what, name, data in (
            ("a web page", "page.jpg", lambda: b"<html>404</html>"),
            ("nothing", "zero.jpg", lambda: b""),
            ("a vast image", "vast.png", vast),
            ("half an image", "half.jpg", lambda: image("jpg", size=(300, 300), quality=95)[:9000]),
            ("a heic that is none", "none.jpg", lambda: b"\0\0\0\x18ftypheic" + b"\0" * 200),
        )
    ),
    Case("a vast text in an image", with_one(with_vast_text), Refuses("one.png", "--max-unusable")),
    Case(
        "a share of damage allowed",
        with_one(lambda: b"", "zero.jpg"),
        Reads(TWO, skipped=1),
        {"max_unusable": "10%"},
    ),
    Case("a dangling link", lambda: images("{FAKE,REAL}"), Refuses("dangling.png"), pack=with_dangling_link),
    Case(
        "one class all damaged",
        lambda: images("FAKE") | {f"REAL/{k}.jpg": b"<html>" for k in range(6)},
        Refuses("6 of 12", "REAL"),
    ),
    Case(
        "one class all damaged and all allowed",
        lambda: images("FAKE") | {f"REAL/{k}.jpg": b"<html>" for k in range(6)},
        Refuses("REAL"),
        {"max_unusable": 1},
    ),
    Case(
        "no damage wanted", with_one(lambda: b"", "zero.jpg"), Refuses("zero.jpg", "strict"), {"strict": True}
    ),
    Case(
        "copies across splits and classes",
        lambda: (
            (found := images("train/{FAKE,REAL}"))
            | images("test/{FAKE,REAL}", 4)
            | {
                "test/FAKE/copy.png": found["train/FAKE/img_0.png"],
                "train/REAL/copy.png": found["train/FAKE/img_1.png"],
            }
        ),
        Reads({"FAKE": 6, "REAL": 7}, test={"FAKE": 5, "REAL": 4}),
    ),
    Case(
        "a raw photograph",
        with_one(lambda: b"II*\0" + b"\0" * 200, "raw.nef"),
        Reads(TWO, notes=("1", ".nef", "REAL")),
    ),
    Case(
        "arrays among images",
        lambda: images("{FAKE,REAL}") | {"REAL/a.npy": b"x"},
        Reads(TWO, notes=("1", ".npy", "REAL")),
    ),
    Case(
        "damage in a zip",
        with_one(lambda: b"", "zero.jpg"),
        Refuses("zero.jpg", "--max-unusable"),
        pack=zipped(),
    ),
]

CASES = [*FORMATS, *WIDE, *DEPTHS, *DAMAGE]
