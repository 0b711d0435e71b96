"""A table of labels as the data set itself, and images inside .parquet files."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuner.data.dataset import load_dataset
from tuner.data_options import DataOptions
from tuner.errors import DataError
from tuner.sources.opening import open_source

from .pictures import png, write_folder
from .refusals import refusal

NAMES = [f"{number:03d}.png" for number in range(12)]
CLASSES = ("FAKE", "REAL")


def photos(root: Path, folder: str = "photos") -> Path:
    return write_folder(root, {f"{folder}/{name}": png(seed) for seed, name in enumerate(NAMES)})


@pytest.mark.parametrize(
    ("name", "separator"),
    [("t.csv", ","), ("t.tsv", "\t"), ("t.json", ""), ("t.jsonl", ""), ("t.parquet", "")],
)
@pytest.mark.parametrize("place", ["{root}/photos/", "photos/", ""])
def test_a_table_of_any_format_names_its_images(
    tmp_path: Path, name: str, separator: str, place: str
) -> None:
    root = photos(tmp_path)
    rows = [{"path": place.format(root=root) + each, "label": CLASSES[i % 2]} for i, each in enumerate(NAMES)]
    if separator:
        lines = ["path,label", *(f"{row['path']},{row['label']}" for row in rows)]
        (root / name).write_text("\n".join(lines).replace(",", separator))
    elif name == "t.parquet":
        pq.write_table(pa.Table.from_pylist(rows), root / name)
    else:
        text = json.dumps(rows) if name == "t.json" else "\n".join(map(json.dumps, rows))
        (root / name).write_text(text)
    dataset = load_dataset(str(root / name))
    assert dataset.class_names == CLASSES
    assert len(dataset.records) == 12
    assert dataset.name == "t"


def test_images_outside_of_the_folder_of_the_table_are_read(tmp_path: Path) -> None:
    photos(tmp_path)
    lines = ["file,label", *(f"../photos/{name},{CLASSES[i % 2]}" for i, name in enumerate(NAMES))]
    table = write_folder(tmp_path, {"tables/t.csv": "\n".join(lines).encode()}) / "tables/t.csv"
    assert len(load_dataset(str(table)).records) == 12


def test_a_changed_image_or_table_changes_the_digest(tmp_path: Path) -> None:
    root = photos(tmp_path)
    table = root / "t.csv"
    table.write_text("\n".join(["file,label", *(f"photos/{name},a" for name in NAMES)]))
    digests = {open_source(str(table)).digest()}
    (root / "photos" / NAMES[0]).write_bytes(png(99) + b" ")
    digests.add(open_source(str(table)).digest())
    table.write_text(table.read_text().replace(",a", ",b"))
    digests.add(open_source(str(table)).digest())
    assert len(digests) == 3


def test_groups_stay_on_one_side_of_the_splits(tmp_path: Path) -> None:
    write_folder(tmp_path, {f"{number}.png": png(number) for number in range(40)})
    rows = [f"{number}.png,{CLASSES[number % 2]},p{number // 4}" for number in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["file,label,patient", *rows]))
    dataset = load_dataset(str(tmp_path / "t.csv"), DataOptions(group_column="patient"))
    sides = [set(dataset.records["group"][indices].tolist()) for indices in dataset.splits.values()]
    assert all(sides)
    assert sum(map(len, sides)) == len(set().union(*sides)) == 10


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "no table"),
        ("file,label\n", "no rows"),
        ("file,label\nx.png,a\ny.png,b\n", "names the images"),
        ("file\n000.png\n001.png\n", "no column of classes"),
    ],
)
def test_a_table_that_labels_nothing_is_an_error(tmp_path: Path, content: str, named: str) -> None:
    (photos(tmp_path, "t") / "t" / "t.csv").write_text(content)
    with refusal(DataError, "t.csv", named):
        load_dataset(str(tmp_path / "t" / "t.csv"))


def write_shard(path: Path, first_seed: int, labels: list[Any], names: tuple[str, ...] = CLASSES) -> None:
    """Write images and class numbers as Hugging Face does, in row groups of 4."""
    images = [{"bytes": png(first_seed + i), "path": None} for i in range(len(labels))]
    table = pa.table({"image": images, "label": pa.array(labels, pa.int64()), "text": ["a"] * len(labels)})
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=4)


def test_a_folder_of_shards_is_read_with_its_splits_and_class_names(tmp_path: Path) -> None:
    write_shard(tmp_path / "data" / "train-00000-of-00002.parquet", 0, [0, 1] * 5)
    write_shard(tmp_path / "data" / "train-00001-of-00002.parquet", 10, [0, 1] * 5)
    write_shard(tmp_path / "data" / "test-00000-of-00001.parquet", 20, [1, 0] * 3)
    dataset = load_dataset(str(tmp_path))
    assert dataset.class_names == CLASSES
    assert dataset.counts()["test"] == {"FAKE": 3, "REAL": 3}
    assert len(dataset.records) == 26
    assert dataset.images.shape[1:] == (8, 8, 3)
    assert (dataset.records["file_size"] > 0).all()


def test_a_shard_alone_is_a_data_set_and_its_unlabelled_images_are_left_out(tmp_path: Path) -> None:
    write_shard(tmp_path / "x.parquet", 0, [0, 1] * 6 + [-1])
    found = open_source(str(tmp_path / "x.parquet")).listing()
    assert Counter(found.labels.tolist()) == {0: 6, 1: 6}
    assert "1 image without a label" in "\n".join(found.notes)


def test_a_damaged_shard_is_an_error(tmp_path: Path) -> None:
    write_shard(tmp_path / "x.parquet", 0, [0, 1] * 6)
    data = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(data[: len(data) // 2])
    with refusal(DataError, "x.parquet", "Download"):
        load_dataset(str(tmp_path / "x.parquet"))
