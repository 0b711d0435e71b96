"""Labels in the names of files."""

from .forms import Case, Reads, Refuses, each, images, zipped

CASES = [
    Case(
        "labels in names",
        lambda: images("", 6, "cat.{}.png") | images("", 6, "dog.{}.png"),
        Refuses("--label-from", "cat|dog"),
    ),
    Case(
        "labels in names with numbers in brackets",
        lambda: images("", 6, "cat ({}).png") | images("", 6, "dog ({}).png"),
        Refuses("--label-from", "cat|dog"),
    ),
    Case(
        "labels in names at their end",
        lambda: images("", 6, "{:04d}_cat.png") | images("", 6, "{:04d}_dog.png"),
        Refuses("class"),
    ),
    Case(
        "labels in names in one folder",
        lambda: images("photos", 6, "cat.{}.png") | images("photos", 6, "dog.{}.png"),
        Refuses("--label-from", "cat|dog"),
    ),
    Case(
        "labels in names by pattern",
        lambda: images("", 6, "cat.{}.png") | images("", 6, "dog.{}.png"),
        Reads(each("cat,dog")),
        {"label_from": "^(cat|dog)"},
    ),
    Case(
        "labels in names of a zip",
        lambda: images("", 6, "fake_{:04d}.png") | images("", 6, "real_{:04d}.png"),
        Refuses("--label-from", "fake|real"),
        pack=zipped(),
    ),
    Case(
        "labels in names beside a test to predict",
        lambda: (
            images("train", 6, "cat.{}.png") | images("train", 6, "dog.{}.png") | images("test1", 5, "{}.png")
        ),
        Reads(each("cat,dog"), notes=("5 images",)),
        {"label_from": "^(cat|dog)"},
    ),
    Case(
        "labels in names in both splits",
        lambda: images("{train,test}", 6, "cat.{}.png") | images("{train,test}", 6, "dog.{}.png"),
        Reads(each("cat,dog"), test=each("cat,dog")),
        {"label_from": "^(cat|dog)"},
    ),
    Case(
        "labels at the end of names",
        lambda: images("faces", 6, "{}_female.png") | images("faces", 6, "{}_male.png"),
        Reads(each("female,male")),
        {"label_from": r"_(\w+)\.png$"},
    ),
    Case(
        "a pattern that fits no name",
        lambda: images("", 6, "cat.{}.png"),
        Refuses("^(owl)", "cat"),
        {"label_from": "^(owl)"},
    ),
    Case("names without a meaning", lambda: images("photos", 12, "{}.png"), Refuses("class")),
]
