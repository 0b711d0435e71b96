from pathlib import Path

from tests.sources.pictures import encoded, picture, png, tree, write_folder
from tuner.data.audit import Audit, Duplicates, audit
from tuner.data.dataset import load_dataset


def audit_of(root: Path, files: dict[str, bytes]) -> Audit:
    return audit(load_dataset(str(write_folder(root, files))))


def splits_of(count: int = 10) -> dict[str, bytes]:
    return tree(*(f"{split}/{name}" for split in ("train", "val", "test") for name in "ab"), count=count)


def test_a_clean_data_set_has_no_findings(tmp_path: Path) -> None:
    found = audit_of(tmp_path, splits_of())
    assert found.counts["validation"] == {"a": 10, "b": 10}
    assert found.balance == 1
    assert found.modes == {"RGB": 60}
    assert [(size.width, size.height, size.num_images) for size in found.sizes] == [(8, 8, 60)]
    assert not found.duplicates
    assert not found.num_conflicts
    assert not found.skipped


def test_duplicates_are_counted_within_and_across_splits(tmp_path: Path) -> None:
    files = splits_of()
    files["train/a/001.png"] = files["train/a/002.png"] = files["train/a/000.png"]
    files["test/b/005.png"] = files["train/b/003.png"]
    assert audit_of(tmp_path, files).duplicates == (
        Duplicates(
            "train",
            "train",
            2,
            (("train/a/000.png", "train/a/001.png"), ("train/a/000.png", "train/a/002.png")),
        ),
        Duplicates("train", "test", 1, (("train/b/003.png", "test/b/005.png"),)),
    )


def test_the_same_pixels_with_another_class_are_a_conflict(tmp_path: Path) -> None:
    files = splits_of()
    files["train/b/001.png"] = files["train/a/000.png"]
    found = audit_of(tmp_path, files)
    assert found.num_conflicts == 2
    assert found.conflict_examples == (("train/a/000.png", "train/b/001.png"),)


def test_sizes_modes_and_balance_are_of_the_original_files(tmp_path: Path) -> None:
    files = tree("a", count=12) | {
        f"b/{index}.png": encoded(picture(100 + index, (20, 10), "L")) for index in range(6)
    }
    found = audit_of(tmp_path, files)
    assert found.balance == 0.5
    assert found.modes == {"RGB": 12, "L": 6}
    assert [(size.width, size.height, size.num_images) for size in found.sizes] == [(8, 8, 12), (20, 10, 6)]


def test_skipped_images_are_passed_on(tmp_path: Path) -> None:
    found = audit_of(tmp_path, tree("a", "b", count=60) | {"a/000.png": b""})
    (skipped,) = found.skipped
    assert skipped.path == "a/000.png"
    assert "empty" in skipped.reason


def test_png_files_have_no_jpeg_tables(tmp_path: Path) -> None:
    dataset = load_dataset(
        str(write_folder(tmp_path, {f"{n}/{i}.png": png(i + 9 * (n == "a")) for n in "ab" for i in range(4)}))
    )
    assert set(dataset.records["jpeg_tables"].tolist()) == {0}
