"""Tables of labels that do not fit to the files."""

from .forms import Case, Reads, Refuses, each, images, labelled, npy, numbered, table
from .tables import NAMES, TWO, kaggle, rows


def animals(form: str, folders: tuple[str, str] = ("indoor", "outdoor")) -> bytes:
    """Return a table in which each folder holds animals of both classes."""
    paths = [form.format(folder, k) for folder in folders for k in range(6)]
    return labelled(paths, "cat,dog", "image,label")


CASES = [
    Case(
        "rows without files",
        lambda: kaggle(labelled(numbered(15, "img_{}.png"), "FAKE,REAL", "id,label")),
        Reads(TWO, notes=("3", "train.csv")),
    ),
    Case(
        "files without rows",
        lambda: kaggle() | images("train", 3, "extra_{}.png"),
        Reads(TWO, notes=("3 images", "left out")),
    ),
    Case(
        "rows for no file",
        rows("{name}.png,{label}", "id,label", names=numbered(12, "other_{}")),
        Refuses("train.csv"),
    ),
    Case(
        "one file with two labels",
        lambda: kaggle(labelled(NAMES, "FAKE,REAL", "id,label") + b"img_0.png,REAL\n"),
        Refuses("img_0.png", "train.csv"),
    ),
    Case(
        "rows without a label",
        lambda: (
            kaggle(labelled(NAMES, "FAKE,REAL", "id,label") + b"img_0b.png,\n")
            | images("train", 1, "img_{}b.png")
        ),
        Reads(TWO, notes=("1", "left out")),
    ),
    Case(
        "names that two files have",
        lambda: (
            images("a/x", 12) | images("b/y", 12) | {"labels.csv": labelled(NAMES, "FAKE,REAL", "id,label")}
        ),
        Refuses("img_", "labels.csv"),
        {"label_column": "label"},
    ),
    Case(
        "a target to regress",
        lambda: kaggle(table("id,price", *(f"img_{k},{k * 1.37 + 0.11}" for k in range(12)))),
        Refuses("price"),
    ),
    Case(
        "a table that contradicts the folders",
        lambda: images("{indoor,outdoor}") | {"labels.csv": animals("{}/img_{}.png")},
        Refuses("labels.csv", "--exclude"),
    ),
    Case(
        "a table for folders that are parts",
        lambda: (
            images("{images_part_1,images_part_2}")
            | {"labels.csv": animals("{}/img_{}.png", ("images_part_1", "images_part_2"))}
        ),
        Reads(each("cat,dog"), notes=("labels.csv",)),
    ),
    Case(
        "a table that agrees with the folders",
        lambda: (
            images("{FAKE,REAL}")
            | {
                "all.csv": table(
                    "path,label", *(f"{c}/img_{k}.png,{c}" for c in ("FAKE", "REAL") for k in range(6))
                )
            }
        ),
        Reads(TWO),
    ),
    Case(
        "a table of sizes beside classes",
        lambda: images("{FAKE,REAL}") | {"sizes.csv": table("file,width,height", "FAKE/img_0.png,8,8")},
        Reads(TWO),
    ),
    Case(
        "labels in arrays beside images",
        lambda: images("jpg", 12) | {"labels.npy": npy([0, 1])},
        Refuses("class"),
    ),
]
