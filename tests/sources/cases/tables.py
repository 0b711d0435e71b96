"""Labels in tables and in the names of files."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .forms import (
    Case,
    Files,
    Reads,
    Refuses,
    each,
    file_in,
    image,
    images,
    labelled,
    numbered,
    table,
    zipped,
)

TWO = each("FAKE,REAL")
NAMES = numbered(12, "img_{}.png")
STEMS = numbered(12, "img_{}")


def kaggle(csv: bytes | None = None, folder: str = "train", name: str = "train.csv") -> Files:
    return images(folder, 12) | {name: csv or labelled(NAMES, "FAKE,REAL", "id,label")}


def rows(form: str, head: str, classes: str = "FAKE,REAL", names: list[str] = STEMS) -> Callable[[], Files]:
    """Return twelve images in `train` with a table of these rows."""
    return lambda: kaggle(labelled(names, classes, head, form))


def one_hot(split: str, count: int, rows: list[str]) -> Files:
    lines = [f"img_{k}.png, {rows[k % len(rows)]}" for k in range(count)]
    return images(split, count) | {f"{split}/_classes.csv": table("filename, cat, dog", *lines)}


def parquet(count: int, names: list[str] | None = None) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    columns = pyarrow.table(
        {
            "image": [{"bytes": image(), "path": f"{k}.png"} for k in range(count)],
            "label": [k % 2 for k in range(count)],
        }
    )
    if names:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        about = json.dumps({"info": {"features": features}})
        columns = columns.replace_schema_metadata({"huggingface": about})
    buffer = io.BytesIO()
    pytest.importorskip("pyarrow.parquet").write_table(columns, buffer)
    return buffer.getvalue()


def json_lines(count: int, name: str = "file_name") -> bytes:
    return table(
        *(json.dumps({name: f"img_{k}.png", "label": ("FAKE", "REAL")[k % 2]}) for k in range(count))
    )


def beside_a_zip(root: Path) -> Path:
    source = zipped("train.zip")(root, images("train", 12))
    source.with_name("train.csv").write_bytes(labelled(NAMES, "FAKE,REAL", "id,label"))
    return source


CASES = [
    Case(
        "kaggle with a test to predict",
        lambda: kaggle() | images("test", 4) | {"sample_submission.csv": table("id,label", "img_0.png,FAKE")},
        Reads(TWO, notes=("4", "test", "tuner predict", "sample_submission.csv")),
    ),
    Case(
        "kaggle with a table of the test",
        lambda: (
            kaggle(folder="train_images") | images("test_images", 4) | {"test.csv": table("id", "img_0.png")}
        ),
        Reads(TWO, notes=("4", "test_images", "tuner predict", "test.csv")),
    ),
    Case("kaggle in a zip", kaggle, Reads(TWO), pack=zipped()),
    Case("ids without a suffix", rows("{name},{label}", "id_code,diagnosis"), Reads(TWO)),
    Case(
        "ids as numbers without zeros",
        lambda: (
            images("train", 12, "{:05d}.png")
            | {"labels.csv": labelled(numbered(12, "{}"), "FAKE,REAL", "id,label")}
        ),
        Reads(TWO),
    ),
    Case("whole numbers as labels", rows("{name},{label}", "id,label", "0,1"), Reads(each("0,1"))),
    Case(
        "labels of two digits",
        rows("{name},{label}", "id,label", "2,10"),
        Reads(each("02,10")),
    ),
    Case(
        "labels beside other columns",
        rows("{name},{label},31,F", "image_id,breed,age,sex"),
        Reads(TWO),
        {"label_column": "breed"},
    ),
    Case("paths with backslashes", rows("train\\{name}.png,{label}", "path,label"), Reads(TWO)),
    Case(
        "paths from another computer",
        rows("/kaggle/input/x/train/{name}.png,{label}", "filepath,label"),
        Reads(TWO),
    ),
    Case("paths from above the folder", rows("set/train/{name}.png,{label}", "filepaths,labels"), Reads(TWO)),
    Case("other letter case of the suffix", rows("{name}.PNG,{label}", "filename,label"), Reads(TWO)),
    Case("semicolons", rows("{name};{label}", "image;class"), Reads(TWO)),
    Case(
        "a mark of the byte order",
        lambda: kaggle("\ufeffid,label\n".encode() + labelled(NAMES, "FAKE,REAL", "")[1:]),
        Reads(TWO),
    ),
    Case(
        "tabs",
        lambda: kaggle(labelled(NAMES, "FAKE,REAL", "file\tlabel", "{name}\t{label}"), name="labels.tsv"),
        Reads(TWO),
    ),
    Case(
        "names of classes in latin-1",
        lambda: kaggle(labelled(NAMES, "café,thé", "id,label").decode().encode("latin-1")),
        Reads(each("café,thé")),
    ),
    Case("an index column before", rows("7,{name}.png,{label}", ",image,label"), Reads(TWO)),
    Case("images beside the table", lambda: kaggle(folder="", name="metadata.csv"), Reads(TWO)),
    Case(
        "json lines of hugging face", lambda: images("", 12) | {"metadata.jsonl": json_lines(12)}, Reads(TWO)
    ),
    Case(
        "metadata in each split",
        lambda: (
            images("train", 12)
            | images("test", 6)
            | {"train/metadata.csv": labelled(NAMES, "FAKE,REAL", "file_name,label")}
            | {"test/metadata.csv": labelled(NAMES[:6], "FAKE,REAL", "file_name,label")}
        ),
        Reads(TWO, test=each("FAKE,REAL", 3)),
    ),
    Case(
        "a table for each split",
        lambda: (
            images("images", 18)
            | {"train.csv": labelled(numbered(12, "img_{}.png"), "FAKE,REAL", "image,label")}
            | {"val.csv": table("image,label", "img_12.png,FAKE", "img_13.png,REAL")}
            | {
                "test.csv": table(
                    "image,label", *(f"img_{k}.png,{('FAKE', 'REAL')[k % 2]}" for k in range(14, 18))
                )
            }
        ),
        Reads(TWO, each("FAKE,REAL", 1), each("FAKE,REAL", 2)),
    ),
    Case(
        "a column of splits",
        lambda: (
            images("images", 12)
            | {
                "labels.csv": table(
                    "path,label,split",
                    *(
                        f"images/img_{k}.png,{('FAKE', 'REAL')[k % 2]},{'TRAIN' if k < 8 else 'Test'}"
                        for k in range(12)
                    ),
                )
            }
        ),
        Reads(each("FAKE,REAL", 4), test=each("FAKE,REAL", 2)),
    ),
    Case(
        "columns of own names",
        rows("{name},{label},x", "q1,q2,q3"),
        Reads(TWO),
        {"path_column": "q1", "label_column": "q2"},
    ),
    Case("a column that is not there", kaggle, Refuses("labels", "label"), {"label_column": "labels"}),
    Case(
        "patients in a column",
        lambda: (
            images("train", 24)
            | {
                "train.csv": table(
                    "id,label,patient", *(f"img_{k},{('FAKE', 'REAL')[k % 2]},p{k // 4}" for k in range(24))
                )
            }
        ),
        Reads(each("FAKE,REAL", 12), groups=("p0", "p1", "p2", "p3", "p4", "p5")),
        {"group_column": "patient"},
    ),
    Case(
        "one column a class",
        lambda: one_hot("train", 12, ["1, 0", "0, 1"]) | one_hot("valid", 4, ["1, 0", "0, 1"]),
        Reads(each("cat,dog"), each("cat,dog", 2)),
    ),
    Case(
        "several classes an image",
        lambda: one_hot("train", 12, ["1, 1", "0, 1"]),
        Refuses("_classes.csv", "1"),
    ),
    Case(
        "one column a class of kaggle",
        lambda: (
            images("images", 12, "Train_{}.jpg")
            | {
                "train.csv": table(
                    "image_id,healthy,rust,scab",
                    *(f"Train_{k},{('1,0,0', '0,1,0', '0,0,1')[k % 3]}" for k in range(12)),
                )
            }
        ),
        Reads(each("healthy,rust,scab", 4)),
    ),
    Case(
        "one file of parquet",
        lambda: {"set.parquet": parquet(12, ["FAKE", "REAL"])},
        Reads(TWO),
        pack=file_in("set.parquet"),
    ),
    Case(
        "shards of parquet with splits",
        lambda: {
            "data/train-00000-of-00002.parquet": parquet(6, ["FAKE", "REAL"]),
            "data/train-00001-of-00002.parquet": parquet(6, ["FAKE", "REAL"]),
            "data/test-00000-of-00001.parquet": parquet(4, ["FAKE", "REAL"]),
        },
        Reads(TWO, test=each("FAKE,REAL", 2)),
    ),
    Case(
        "parquet without names of classes",
        lambda: {"set.parquet": parquet(12)},
        Reads(each("0,1")),
        pack=file_in("set.parquet"),
    ),
    Case("a table as the data set", kaggle, Reads(TWO), pack=file_in("train.csv")),
    Case(
        "json lines as the data set",
        lambda: images("", 12) | {"all.jsonl": json_lines(12)},
        Reads(TWO),
        pack=file_in("all.jsonl"),
    ),
    Case(
        "records of json as the data set",
        lambda: (
            images("", 12)
            | {
                "all.json": json.dumps(
                    [{"image": n, "label": ("FAKE", "REAL")[k % 2]} for k, n in enumerate(NAMES)]
                ).encode()
            }
        ),
        Reads(TWO),
        pack=file_in("all.json"),
    ),
    Case(
        "a table without images",
        lambda: {"x.csv": table("file,label", "a.jpg,cat")},
        Refuses("x.csv", "no image files"),
        pack=file_in("x.csv"),
    ),
    Case(
        "pixels in a table",
        lambda: {"train.csv": table("label,pixel0,pixel1", "5,0,0", "1,0,9")},
        Refuses("no images"),
    ),
    Case(
        "pixels in a table as the data set",
        lambda: {"fer2013.csv": table("emotion,pixels,Usage", "0,70 80 82,Training")},
        Refuses("fer2013.csv"),
        pack=file_in("fer2013.csv"),
    ),
    Case("a table beside a zip", lambda: {}, Reads(TWO), pack=lambda root, _: beside_a_zip(root)),
]
