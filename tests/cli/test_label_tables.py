"""Data sets with labels in tables, as downloaded, from --data to a finished search."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import SIDE, Run

pytestmark = pytest.mark.training

TINY = ("--space", "sequential", "--max-trials", 1, "--max-epochs", 1, "--name", "first", "--quiet")
SMALL = ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")


def write_images(folder: Path, count: int) -> list[str]:
    """Write images of noise, every second one brighter, and return their names."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(str(folder)))
    for number in range(count):
        pixels = rng.integers(0, 128, (SIDE, SIDE, 3)) + 127 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:04d}.png")
    return [f"{number:04d}.png" for number in range(count)]


def searched(tuner: Run, data: Path) -> dict[str, dict[str, int]]:
    """Search with no other option on the data, and return the number of images of each class and split."""
    done = tuner("search", "--data", data, *TINY, *SMALL)
    assert done.code == 0, done.stderr
    facts = json.loads(Path(data.parent, "results/first/run.json").read_text("utf-8"))
    assert facts["status"] == "completed"
    counts: dict[str, dict[str, int]] = facts["data"]["counts"]
    return counts


def test_a_folder_of_kaggle_with_a_table_is_searched(tuner: Run, tmp_path: Path) -> None:
    data = tmp_path / "competition"
    names = write_images(data / "train", 40)
    write_images(data / "test", 10)
    ids = [(number, ("fake", "real")[number % 2]) for number in range(len(names))]
    (data / "train.csv").write_text("\n".join(["id,label", *(f"{i},{label}" for i, label in ids)]))
    (data / "sample_submission.csv").write_text("id,label\n0,fake\n1,fake\n")
    counts = searched(tuner, data)
    assert {split: sum(of_class.values()) for split, of_class in counts.items()} == {
        "train": 28,
        "validation": 8,
        "test": 4,
    }


def test_a_folder_of_hugging_face_with_metadata_is_searched(tuner: Run, tmp_path: Path) -> None:
    data = tmp_path / "downloaded"
    for split, count in (("train", 30), ("validation", 8), ("test", 8)):
        names = write_images(data / split, count)
        rows = [{"file_name": name, "label": ("fake", "real")[i % 2]} for i, name in enumerate(names)]
        (data / split / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert searched(tuner, data) == {
        "train": {"fake": 15, "real": 15},
        "validation": {"fake": 4, "real": 4},
        "test": {"fake": 4, "real": 4},
    }
