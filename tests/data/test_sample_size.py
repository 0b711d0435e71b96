"""Splits with few images and uneven classes are told, each with its numbers and with a way out."""

import pytest

from tuner.data.sample_size import sample_notes


def counts(validation=None, test=None, **train):
    """Images of each class in each split; the splits not given are as large as train, and large enough."""
    plenty = {name: max(number, 200) for name, number in train.items()}
    return {"train": train, "validation": validation or plenty, "test": test or plenty}


def uneven(*numbers, weighted=False):
    classes = {f"c{place}": number for place, number in enumerate(numbers)}
    return [note for note in sample_notes(counts(**classes), weighted) if note.startswith("Uneven")]


def test_large_even_splits_need_no_words():
    assert sample_notes(counts(FAKE=700, REAL=700)) == ()


def test_few_validation_images_are_told_with_the_step_of_a_score():
    (note,) = sample_notes(counts({"FAKE": 2, "REAL": 2}, FAKE=16, REAL=16))
    assert "4 validation images" in note
    assert "25 points" in note
    assert "Add images" in note


def test_a_small_validation_split_beside_a_large_train_may_be_left_out():
    (note,) = sample_notes(counts({"FAKE": 8, "REAL": 8}, FAKE=1300, REAL=3800))
    assert "16 validation images" in note
    assert "--exclude" in note
    assert "20%" in note


@pytest.mark.parametrize(("each", "told"), [(24, True), (25, False)])
def test_steps_of_two_points_are_small_enough(each, told):
    assert bool(sample_notes(counts({"FAKE": each, "REAL": each}, FAKE=90, REAL=90))) is told


def test_all_images_in_training_leave_nothing_to_say_of_validation():
    found = counts(FAKE=90, REAL=90)
    del found["validation"]
    assert sample_notes(found) == ()


def test_a_class_with_one_test_image_is_named():
    (note,) = sample_notes(counts(test={"common": 60, "rare": 1}, common=420, rare=200))
    assert "1 test image of class 'rare'" in note
    assert "common" not in note


def test_of_many_classes_with_few_test_images_those_with_the_fewest_are_named():
    test = {f"c{number:03d}": 3 for number in range(120)} | {"c077": 0}
    (note,) = sample_notes(counts(test=test, **dict.fromkeys(test, 20)))
    assert "0 test images of class 'c077', 3 of 'c000', 3 of 'c001'" in note
    assert "117 more" in note
    assert len(note) < 250


def test_a_small_test_split_is_told_where_no_class_is():
    (note,) = sample_notes(counts(test={"FAKE": 20, "REAL": 20}, FAKE=90, REAL=90))
    assert "40 test images" in note
    assert "2.5 points" in note


def test_uneven_classes_are_named_with_their_numbers_and_the_accuracy_of_one_answer():
    notes = sample_notes(
        {
            "train": {"FAKE": 7, "REAL": 63},
            "validation": {"FAKE": 2, "REAL": 18},
            "test": {"FAKE": 1, "REAL": 9},
        }
    )
    (note,) = [note for note in notes if "--class-weights auto" in note]
    for part in ("10 images of 'FAKE'", "90 of 'REAL'", "7 and 63", "90.0%"):
        assert part in note


@pytest.mark.parametrize(("numbers", "told"), [((100, 400), False), ((99, 400), True), ((3, 420), True)])
def test_a_class_below_a_quarter_of_the_largest_is_uneven(numbers, told):
    assert bool(uneven(*numbers)) is told


def test_of_many_classes_the_number_of_small_ones_is_told():
    (note,) = uneven(500, 400, 90, 30)
    assert "'c3'" in note
    assert "'c0'" in note
    assert "2 of 4 classes" in note


def test_class_weights_are_not_advised_to_whoever_asked_for_them():
    (note,) = uneven(10, 90, weighted=True)
    assert "--class-weights" not in note
