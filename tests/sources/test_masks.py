import pytest

from tuner.sources.contents import File
from tuner.sources.masks import without_masks


def kept(*paths):
    files, notes = without_masks([File(path, 1, path) for path in paths])
    return {file.path for file in files}, notes


@pytest.mark.parametrize(
    "mask",
    ["a/x_mask.png", "a/x_mask_1.png", "a/x-segmentation.png", "a/x_Mask.tif", "a/x_mask2.png"],
)
def test_a_mask_beside_its_image_is_left_out_with_a_note(mask):
    files, notes = kept("a/x.png", "b/y.png", mask)
    assert files == {"a/x.png", "b/y.png"}
    assert any(mask in note and "1 mask" in note for note in notes)


def test_a_folder_of_masks_beside_the_images_is_left_out():
    files, _ = kept("a/images/x.png", "a/masks/x.png", "b/images/y.png", "b/masks/y_mask.png")
    assert files == {"a/images/x.png", "b/images/y.png"}


def test_a_name_with_the_word_but_without_its_image_stays():
    files, notes = kept("with_mask/1_mask.png", "without_mask/2.png", "masks/3.png", "faces/4.png")
    assert files == {"with_mask/1_mask.png", "without_mask/2.png", "masks/3.png", "faces/4.png"}
    assert not notes


def test_masks_may_be_a_class():
    paths = ("mask/1.png", "mask/2.png", "no_mask/1.png", "no_mask/2.png")
    assert kept(*paths) == (set(paths), ())


def test_a_folder_of_annotations_may_lie_deeper_than_the_images():
    files, _ = kept("images/x.jpg", "annotations/trimaps/x.png")
    assert files == {"images/x.jpg"}
