import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.sources.pictures import encoded, picture, png
from tuner.data import decoding, jpegs
from tuner.data.decoding import Format, decode
from tuner.sources.listing import UnreadableError

SIDE = 24
RGB = Format(SIDE, 3)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, Any]:
    """No kind of JPEG has been read before."""
    signatures: dict[bytes, Any] = {}
    monkeypatch.setattr(decoding, "_ordinary", signatures)
    return signatures


def jpeg(seed: int, mode: str = "RGB", **options: object) -> bytes:
    return encoded(picture(seed, (SIDE, SIDE), mode), "JPEG", **options)


def read_by_pillow(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "L"},
        {"quality": 30},
        {"quality": 95, "subsampling": 0},
        {"optimize": True},
        {"progressive": True},
        {"comment": b"made for this test"},
        {"icc_profile": b"\xff\xda\x00\x08 like the start of the pixels"},
    ],
)
def test_all_jpegs_of_a_kind_have_the_pixels_that_pillow_reads(
    options: dict[str, Any], known: dict[bytes, Any]
) -> None:
    for seed in range(3):
        decoded = decode(jpeg(seed, **options), RGB)
        np.testing.assert_array_equal(decoded.pixels, read_by_pillow(jpeg(seed, **options)))
        assert decoded.header == decoding.read_header(jpeg(seed, **options))
    assert len(known) == 1


def test_only_the_first_jpeg_of_a_kind_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    decode(jpeg(0), RGB)
    monkeypatch.setattr(Image, "open", None)
    assert decode(jpeg(1), RGB).header.mode == "RGB"
    with pytest.raises(UnreadableError):
        decode(jpeg(1, quality=10), RGB)


def test_size_and_channels_asked_for_hold_for_the_known_kind() -> None:
    for form in (Format(SIDE, 1), Format(8, 3), Format(40, 3)):
        first, again = (decode(jpeg(1), form).pixels for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert again.shape == (form.size, form.size, form.channels)


def test_large_jpegs_are_reduced_the_same_way_each_time() -> None:
    data = encoded(picture(1, (128, 128)), "JPEG")
    assert len(data) < jpegs.MAX_BYTES
    whole, first = decode(data, Format(128, 3)).pixels, decode(data, Format(8, 3)).pixels
    again = decode(data, Format(8, 3)).pixels
    assert whole.shape == (128, 128, 3)
    np.testing.assert_array_equal(first, again)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (16, 16))
        expected = image.resize((8, 8), Image.Resampling.LANCZOS, reducing_gap=3.0)
    np.testing.assert_array_equal(again, np.asarray(expected))


def test_a_jpeg_that_may_need_rotation_is_never_ordinary(known: dict[bytes, Any]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    upright = decode(jpeg(1), RGB).pixels
    for _ in range(2):
        turned = decode(jpeg(1, exif=exif), RGB).pixels
        np.testing.assert_array_equal(turned, upright[::-1, ::-1])
    assert len(known) == 1


def test_cmyk_and_files_of_several_pictures_are_never_ordinary(known: dict[bytes, Any]) -> None:
    several = io.BytesIO()
    picture(1, (SIDE, SIDE)).save(several, "MPO", save_all=True, append_images=[picture(2, (SIDE, SIDE))])
    for data in (jpeg(1, "CMYK"), several.getvalue()):
        first, again = (decode(data, RGB).pixels for _ in range(2))
        np.testing.assert_array_equal(first, again)
    assert not known


@pytest.mark.parametrize("cut", [-1, -40, 400])
def test_a_broken_jpeg_is_told_the_same_whether_its_kind_is_known_or_not(
    cut: int, known: dict[bytes, Any]
) -> None:
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(decode(jpeg(1)[:cut], RGB).pixels.tobytes())
        except UnreadableError as error:
            outcomes.append(str(error).encode())
        known.clear()
        decode(jpeg(0), RGB)
    assert outcomes[0] == outcomes[1]


def test_no_damage_changes_what_becomes_of_a_jpeg(known: dict[bytes, Any]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(jpeg(1))
        for at in rng.integers(2, len(damaged), 3):
            damaged[at] = rng.integers(0, 256)
        outcomes: list[object] = []
        for kinds in ((), (jpeg(0), bytes(damaged))):
            known.clear()
            try:
                for data in kinds:
                    decode(data, RGB)
                decoded = decode(bytes(damaged), RGB)
                outcomes.append((decoded.pixels.tobytes(), decoded.header))
            except UnreadableError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1]


def test_kinds_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch, known: dict[bytes, Any]) -> None:
    monkeypatch.setattr(decoding, "_MAX_SIGNATURES", 2)
    for quality in (10, 20, 30, 40):
        np.testing.assert_array_equal(
            decode(jpeg(1, quality=quality), RGB).pixels, read_by_pillow(jpeg(1, quality=quality))
        )
    assert len(known) == 2


def test_a_signature_is_shared_by_what_differs_in_pixels_and_huffman_tables_only() -> None:
    plain = jpegs.signature(jpeg(1))
    assert plain is not None
    assert jpegs.signature(jpeg(2)) == plain
    assert jpegs.signature(jpeg(2, optimize=True)) == plain
    for other in (jpeg(1, quality=50), jpeg(1, "L"), jpeg(1, progressive=True), jpeg(1, comment=b"x")):
        assert jpegs.signature(other) != plain


@pytest.mark.parametrize(
    "data",
    [
        b"",
        png(1),
        b"\xff\xd8",
        jpeg(1)[:100],
        b"\xff\xd8\xff\xe0\x00\x01" + jpeg(1),
        b"\xff\xd8\x00" + jpeg(1)[2:],
        jpeg(1) + bytes(jpegs.MAX_BYTES),
    ],
)
def test_what_is_no_whole_small_jpeg_has_no_signature(data: bytes) -> None:
    assert jpegs.signature(data) is None
