"""What commands say of decoded images that are no longer as they were written."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tuner.data import cache


def damaged(root: Path) -> Path:
    """Change one pixel of the only decoded data set in a cache."""
    (path,) = root.glob(f"datasets/*/{cache.IMAGES}")
    pixels = bytearray(path.read_bytes())
    pixels[-1] ^= 1
    path.write_bytes(pixels)
    return path.parent


def test_a_look_at_damaged_images_says_that_they_are_decoded_anew(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    variables = {"TUNER_CACHE_DIR": str(tmp_path / "cache")}
    before = tuner("data", "show", images, **variables).stdout
    folder = damaged(tmp_path / "cache")
    (said,) = set(tuner("data", "show", images, **variables).stdout.splitlines()) - set(before.splitlines())
    assert f"{folder} was damaged" in said
    assert tuner("data", "show", images, **variables).stdout == before


@pytest.mark.training
def test_an_export_with_damaged_images_says_that_they_are_decoded_anew(
    tuner: Run, copy_of_finished: Path
) -> None:
    variables = {"TUNER_CACHE_DIR": str(copy_of_finished / "cache")}
    first = tuner("best", "--export", "first.keras", **variables)
    folder = damaged(copy_of_finished / "cache")
    second = tuner("best", "--export", "second.keras", **variables)
    assert (first.code, second.code) == (0, 0)
    assert f"{folder} was damaged" not in first.stderr
    assert f"{folder} was damaged" in second.stderr
