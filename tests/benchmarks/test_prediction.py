import pytest
from PIL import Image

from benchmarks.prediction import SIDE, measure, write_images


def test_the_images_come_from_the_seed_in_both_formats(tmp_path):
    first, again, other = (
        write_images(tmp_path / name, 6, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    files = sorted(path.name for path in first.iterdir())
    assert [name[-4:] for name in files] == [".png", ".jpg"] * 3
    assert all((first / name).read_bytes() == (again / name).read_bytes() for name in files)
    assert (first / files[0]).read_bytes() != (other / files[0]).read_bytes()
    with Image.open(first / files[1]) as image:
        assert image.size == (SIDE, SIDE)


@pytest.mark.process
def test_every_round_predicts_all_images_and_has_loaded_before(tmp_path):
    folder = write_images(tmp_path / "images", 10, 0)
    found = measure(str(folder), None, images=0, rounds=1, seed=0)
    assert found["images"] == 10
    (round_,) = found["rounds"]
    assert 0 < round_["loaded_s"] < round_["whole_s"]
    assert found["images_per_s"]["after loading"] > found["images_per_s"]["end to end"]
