from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.sources.pictures import encoded, picture, png, tree, write_folder, write_zip
from tuner.data.dataset import load_dataset
from tuner.data.decoding import Format
from tuner.data.image_paths import InputImage, InputImages
from tuner.data.stream import decode_stream
from tuner.data_options import DataOptions


def test_pixels_are_those_of_a_data_set(tmp_path: Path) -> None:
    files = {
        **tree("d/a", count=3),
        **{f"d/b/{i}.jpg": encoded(picture(i, (40, 30)), "JPEG") for i in range(3)},
    }
    dataset = load_dataset(str(write_folder(tmp_path, files) / "d"), DataOptions(image_size=16))
    (decoded,) = decode_stream(InputImages([str(tmp_path / "d")]), Format(16, 3))
    assert [path.removeprefix(f"{tmp_path}/d/") for path in decoded.paths] == dataset.paths
    assert np.array_equal(decoded.pixels, dataset.images)


@pytest.mark.parametrize("at_once", [1, 7, 64, 100, 1000])
def test_order_is_kept_whatever_is_decoded_at_once(tmp_path: Path, at_once: int) -> None:
    write_folder(tmp_path, tree("f", count=150))
    images = InputImages([str(tmp_path / "f")])
    parts = list(decode_stream(images, Format(8, 3), at_once))
    paths = [path for part in parts for path in part.paths]
    assert paths == [image.path for image in images]
    expected = [np.asarray(picture(i)) for i in range(150)]
    assert np.array_equal(np.concatenate([part.pixels for part in parts]), expected)


def test_broken_images_have_a_problem_and_no_pixels(tmp_path: Path) -> None:
    write_folder(tmp_path, {"1.png": png(1), "2.png": b"", "3.png": png(3)[:60], "4.png": png(4)})
    (decoded,) = decode_stream(InputImages([str(tmp_path)]), Format(8, 3))
    assert [problem is None for problem in decoded.problems] == [True, False, False, True]
    assert np.array_equal(decoded.pixels, [np.asarray(picture(1)), np.asarray(picture(4))])


def test_images_of_several_places_mix(tmp_path: Path) -> None:
    write_zip(tmp_path / "z.zip", {"a.png": png(1), "b.png": png(2)})
    write_folder(tmp_path, {"c.png": png(3)})
    references = [str(tmp_path / name) for name in ("c.png", "z.zip", "c.png")]
    (decoded,) = decode_stream(InputImages(references), Format(8, 3))
    assert np.array_equal(decoded.pixels, [np.asarray(picture(i)) for i in (3, 1, 2, 3)])


def test_only_so_many_images_are_taken_ahead(tmp_path: Path) -> None:
    write_folder(tmp_path, {"a.png": png(1)})
    (image,) = InputImages([str(tmp_path / "a.png")])
    taken = 0

    def endless() -> Iterator[InputImage]:
        nonlocal taken
        while True:
            taken += 1
            yield image

    stream = decode_stream(endless(), Format(8, 3), 10)
    for _ in range(20):
        next(stream)
    stream.close()
    assert taken <= 20 * 10 + 3 * 10


def test_nothing_given_is_nothing_decoded() -> None:
    assert list(decode_stream([], Format(8, 3))) == []
