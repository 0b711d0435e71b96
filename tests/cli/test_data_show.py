"""`tuner data show`: a row for each class, some rows of many, and images that cannot be used."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.sources.pictures import tree, write_folder
from tuner.cli.data_view import group_counts
from tuner.data.dataset import Dataset


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty classes; the first has the most images."""
    files = tree("n00", count=12) | tree(*(f"n{k:02d}" for k in range(1, 30)), count=4, first_seed=100)
    return write_folder(tmp_path_factory.mktemp("thirty") / "set", files)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes with seven files that are no images."""
    files = tree("ant", "bee") | {f"bee/page{k}.jpg": b"<html>404</html>" for k in range(7)}
    return write_folder(tmp_path_factory.mktemp("damaged") / "set", files)


def test_csv_has_a_row_for_each_class_with_its_images_of_each_split(tuner: Run, thirty: Path) -> None:
    found = rows(tuner("data", "show", thirty, "--format", "csv").stdout)
    assert [row["class"] for row in found] == [f"n{k:02d}" for k in range(30)]
    first = found[0]
    assert first["images"] == "12"
    assert sum(int(first[split]) for split in ("train", "validation", "test")) == 12


def test_the_table_of_many_classes_has_the_largest_and_the_smallest_and_their_sum(
    tuner: Run, thirty: Path
) -> None:
    lines = tuner("data", "show", thirty).stdout.splitlines()
    shown = [line.split()[0] for line in lines if line.startswith(("n0", "n1", "n2"))]
    assert len(shown) < 15
    assert shown[0] == "n00"
    (total,) = [line.split() for line in lines if line.startswith("all ")]
    assert total[1] == "30"
    assert total[-1] == str(12 + 29 * 4)
    (rest,) = [line for line in lines if "--format csv" in line]
    assert "20 classes have 4 to 4 images" in rest


def test_the_table_shows_a_few_unusable_images_and_how_to_list_all(tuner: Run, damaged: Path) -> None:
    result = tuner("data", "show", damaged)
    assert result.code == 0, result.stderr
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("unusable")]
    assert line.count("bee/page") == 5
    assert "7" in line
    assert "--unusable" in line


def test_all_unusable_images_are_listed_as_csv_with_their_reasons(tuner: Run, damaged: Path) -> None:
    found = rows(tuner("data", "show", damaged, "--unusable", "--format", "csv").stdout)
    assert [row["path"] for row in found] == [f"bee/page{k}.jpg" for k in range(7)]
    assert all(row["reason"] for row in found)


def test_unusable_images_are_listed_where_a_class_has_no_others(tuner: Run, tmp_path: Path) -> None:
    files = tree("ant") | {f"bee/{k}.jpg": b"<html>" for k in range(3)}
    result = tuner("data", "show", write_folder(tmp_path / "set", files), "--unusable", "--format", "json")
    assert result.code == 0, result.stderr
    assert [row["path"] for row in json.loads(result.stdout)] == ["bee/0.jpg", "bee/1.jpg", "bee/2.jpg"]


def test_each_note_on_the_images_is_a_line(tuner: Run, damaged: Path) -> None:
    request = ("data", "show", damaged, "--exclude", "*page*")
    notes = json.loads(tuner(*request, "--format", "json").stdout)["notes"]
    lines = [line for line in tuner(*request).stdout.splitlines() if line.startswith("note ")]
    assert [line.removeprefix("note").strip() for line in lines] == notes
    assert any("--exclude *page*" in note for note in notes)


def test_the_darkest_and_the_brightest_pixel_and_their_mean_are_shown(tuner: Run, damaged: Path) -> None:
    found = json.loads(tuner("data", "show", damaged, "--format", "json").stdout)["pixels"]
    assert found["minimum"] < found["mean"] < found["maximum"]
    (line,) = [
        line for line in tuner("data", "show", damaged).stdout.splitlines() if line.startswith("pixels")
    ]
    assert f"{found['minimum']} to {found['maximum']}" in line


def test_groups_have_their_images_of_each_class(dataset: Dataset) -> None:
    grouped = replace(dataset, group_names=("camera", "phone"))
    records = dataset.records.copy()
    records["group"] = -1
    records["group"][np.flatnonzero(dataset.labels == 0)[:3]] = 1
    vars(grouped)["records"] = records
    nothing = dict.fromkeys(dataset.class_names, 0)
    assert group_counts(grouped) == {"camera": nothing, "phone": nothing | {dataset.class_names[0]: 3}}
