"""Augmentation: what it does to pixels, and what its randomness depends on."""

import io

import numpy as np
import pytest
from PIL import Image

from tuner.training.augmentation import NUM_DRAWS, augment, compressed, draw
from tuner.training.recipe import PLAIN, Recipe

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 12, 10, 3)).astype(np.uint8)
LOW, MIDDLE, HIGH = 0.0, 0.5, 0.999
FLIP_X, FLIP_Y, SHIFT_X, SHIFT_Y, QUALITY, BLUR = range(NUM_DRAWS)


def draws(**columns):
    """Rows of draws that change nothing, but for the columns given."""
    rows = np.full((len(IMAGES), NUM_DRAWS), MIDDLE, np.float32)
    for name, value in columns.items():
        rows[:, globals()[name]] = value
    return rows


def changed(recipe, **columns):
    return np.asarray(augment(recipe, IMAGES, draws(**columns)))


@pytest.mark.parametrize(
    ("recipe", "column", "expected"),
    [
        (Recipe(horizontal_flip=True), "FLIP_X", IMAGES[:, :, ::-1]),
        (Recipe(vertical_flip=True), "FLIP_Y", IMAGES[:, ::-1]),
    ],
)
def test_an_image_is_flipped_where_the_draw_is_below_one_half(recipe, column, expected):
    np.testing.assert_array_equal(changed(recipe, **{column: LOW}), expected)
    np.testing.assert_array_equal(changed(recipe, **{column: MIDDLE}), IMAGES)


def test_half_of_the_images_are_flipped():
    rows = draw(Recipe(horizontal_flip=True), 10_000, seed=0, epoch=1)
    assert np.mean(rows[:, FLIP_X] < 0.5) == pytest.approx(0.5, abs=0.02)


def test_a_shift_moves_the_image_and_mirrors_its_border_in():
    moved = changed(Recipe(shift=0.2), SHIFT_X=HIGH, SHIFT_Y=MIDDLE)  # two pixels of ten
    np.testing.assert_array_equal(moved[:, :, :-2], IMAGES[:, :, 2:])
    np.testing.assert_array_equal(moved[:, :, -2:], IMAGES[:, :, -2:-4:-1])


def test_shifts_go_both_ways_and_no_further_than_asked_for():
    rows = np.linspace(0, HIGH, 1000, dtype=np.float32)
    images = np.tile(np.arange(10, dtype=np.uint8)[None, None, :, None], (1000, 8, 1, 1))
    drawn = np.full((1000, NUM_DRAWS), MIDDLE, np.float32)
    drawn[:, SHIFT_X] = rows
    centre = np.asarray(augment(Recipe(shift=0.2), images, drawn))[:, 0, 5, 0]
    assert {int(value) for value in centre} == {3, 4, 5, 6, 7}
    assert all(150 < np.count_nonzero(centre == value) < 250 for value in (3, 4, 5, 6, 7))


def test_blur_is_that_of_a_gaussian():
    from scipy.ndimage import gaussian_filter

    blurred = changed(Recipe(blur=1.0), BLUR=1.0)
    expected = [gaussian_filter(image.astype(float), (1, 1, 0), radius=(3, 3, 0)) for image in IMAGES]
    np.testing.assert_allclose(blurred, expected, atol=0.01)


def test_no_blur_leaves_an_image_as_it_is():
    np.testing.assert_allclose(changed(Recipe(blur=1.0), BLUR=LOW), IMAGES, atol=1e-3)


@pytest.mark.parametrize("quality", [20, 50, 90])
@pytest.mark.parametrize("channels", [1, 3])
def test_compression_comes_close_to_that_of_a_jpeg_library(quality, channels):
    """They differ less than the picture does from either: how colours are scaled up is up to a library."""
    rng = np.random.default_rng(1)
    smooth = np.cumsum(np.cumsum(rng.normal(0, 4, (4, 24, 20, 1)), axis=1), axis=2)
    tint = [1.0] if channels == 1 else [1.0, 0.8, 0.6]
    images = np.clip((smooth - smooth.mean() + 128) * tint, 0, 255).astype(np.uint8)
    ours = np.asarray(compressed(images.astype(np.float32), np.full(4, quality, np.float32)))
    theirs = np.stack([as_jpeg(image, quality) for image in images])
    assert np.abs(ours - theirs).mean() < 0.65 * np.abs(theirs - images).mean()


def as_jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32).reshape(image.shape)


def test_compression_at_full_quality_changes_next_to_nothing():
    grey = IMAGES[..., :1].astype(np.float32)
    np.testing.assert_allclose(compressed(grey, np.full(6, 100, np.float32)), grey, atol=2)


def test_pixels_stay_within_their_range():
    everything = Recipe(True, True, 0.2, 10, 1.0)
    got = np.asarray(augment(everything, IMAGES, draw(everything, len(IMAGES), 0, 1)))
    assert got.shape == IMAGES.shape
    assert got.min() >= 0
    assert got.max() <= 255.001


def test_draws_depend_on_seed_and_epoch_alone():
    recipe = Recipe(blur=1.0)
    rows = draw(recipe, 5, seed=3, epoch=2)
    np.testing.assert_array_equal(rows, draw(recipe, 5, seed=3, epoch=2))
    assert (rows != draw(recipe, 5, seed=3, epoch=3)).any()
    assert (rows != draw(recipe, 5, seed=4, epoch=2)).any()


def test_the_images_of_an_epoch_are_changed_each_in_its_own_way():
    recipe = Recipe(shift=0.2)
    same = np.repeat(IMAGES[:1], 50, axis=0)
    got = np.asarray(augment(recipe, same, draw(recipe, 50, 0, 1)))
    assert len(np.unique(got.reshape(50, -1), axis=0)) > 5


def test_a_recipe_without_augmentation_draws_nothing():
    assert draw(PLAIN, 7, 0, 1).shape == (7, 0)
