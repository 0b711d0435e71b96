"""What tells classes apart without a look at what the images show, and when that is worth a warning."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.sources.pictures import encoded, picture, write_folder
from tuner.data.dataset import load_dataset
from tuner.data.shortcuts import WARN_AUROC, Shortcut, auroc, shortcuts, warn_from


def found_in(root: Path) -> dict[str, Shortcut]:
    return {each.feature: each for each in shortcuts(load_dataset(str(root)))}


def flat(root: Path, colours: dict[str, tuple[int, int, int]], count: int, spread: float) -> Path:
    """Images of about one colour for each class, each with a deviation of its own."""
    rng = np.random.default_rng(0)
    for name, colour in colours.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            mean = np.array(colour) + rng.normal(0, spread)
            pixels = np.clip(rng.normal(mean, 5, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.bmp")
    return root


def test_a_property_of_files_that_differs_gives_a_class_away(tmp_path: Path) -> None:
    files = {
        f"{name}/{index}.jpg": encoded(picture(index + 50 * (name == "fake")), "JPEG", quality=quality)
        for name, quality in (("fake", 95), ("real", 50))
        for index in range(10)
    }
    found = found_in(write_folder(tmp_path, files))
    tables = found["JPEG tables"]
    assert (tables.class_name, tables.auroc, tables.of, tables.is_warning) == ("fake", 1.0, "files", True)
    assert (found["width"].auroc, found["width"].is_warning) == (0.5, False)
    assert next(iter(found.values())).auroc == 1.0


def test_brightness_that_differs_is_a_property_of_the_images(tmp_path: Path) -> None:
    found = found_in(flat(tmp_path, {"fake": (160, 160, 160), "real": (120, 120, 120)}, 40, 12))
    assert [each.feature for each in found.values() if each.is_warning] == ["mean brightness"]
    assert found["mean brightness"].of == "images"


def test_a_tint_of_the_same_brightness_is_colourfulness(tmp_path: Path) -> None:
    found = found_in(flat(tmp_path, {"fake": (160, 130, 100), "real": (130, 130, 130)}, 40, 20))
    assert [each.feature for each in found.values() if each.is_warning] == ["mean colourfulness"]


def test_one_class_alone_is_told_apart_from_nothing(tmp_path: Path) -> None:
    files = {f"a/{i}.png": encoded(picture(i)) for i in range(4)}
    source = str(write_folder(tmp_path, files))
    assert shortcuts(load_dataset(source, labelled_only=True)) == ()


def test_grey_images_have_no_colour_to_look_at(tmp_path: Path) -> None:
    files = {f"{n}/{i}.png": encoded(picture(i + 50 * (n == "a"), mode="L")) for n in "ab" for i in range(10)}
    assert "mean colourfulness" not in found_in(write_folder(tmp_path, files))


def test_chance_among_few_images_is_no_finding(tmp_path: Path) -> None:
    found = found_in(flat(tmp_path, dict.fromkeys("ab", (128, 128, 128)), 10, 20))
    assert not [each for each in found.values() if each.is_warning]


def test_few_images_must_differ_more_than_many() -> None:
    assert warn_from(1000, 1000) == WARN_AUROC
    # Of ten and ten the standard error of U / 100 is sqrt(21 / 1200).
    assert warn_from(10, 10) == pytest.approx(0.5 + 3 * (21 / 1200) ** 0.5)


def test_a_sample_of_many_images_has_all_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.data.shortcuts.MAX_SAMPLED", 20)
    found = found_in(flat(tmp_path, {"fake": (200, 200, 200), "real": (90, 90, 90)}, 30, 5))
    assert found["mean brightness"].auroc == 1.0
    assert found["mean brightness"].warn_from == warn_from(10, 10)


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
def test_the_area_is_the_share_of_pairs_in_order(pairs: list[tuple[int, bool]]) -> None:
    values = np.array([value for value, _ in pairs])
    positive = np.array([flag for _, flag in pairs])
    if positive.all() or not positive.any():
        return
    difference = values[positive][:, None] - values[~positive][None, :]
    assert auroc(values, positive) == pytest.approx(((difference > 0) + 0.5 * (difference == 0)).mean())
