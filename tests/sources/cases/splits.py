"""Splits by the names of folders."""

import unicodedata

from .forms import Case, Files, Reads, Refuses, each, images

TWO = each("FAKE,REAL")
SPLIT = Reads(TWO, each("FAKE,REAL", 3), each("FAKE,REAL", 4))


def three_splits(train: str = "train", validation: str = "val", test: str = "test") -> Files:
    return {
        **images(f"{train}/{{FAKE,REAL}}"),
        **images(f"{validation}/{{FAKE,REAL}}", 3),
        **images(f"{test}/{{FAKE,REAL}}", 4),
    }


def two(below: str = "") -> Files:
    return images(f"{below}{{FAKE,REAL}}")


CASES = [
    Case("classes alone", two, Reads(TWO, notes=None)),
    Case("classes below two wrappers", lambda: two("data/images/"), Reads(TWO, notes=None)),
    Case("three splits", three_splits, SPLIT._replace(notes=None)),
    Case("splits in capitals", lambda: three_splits("TRAIN", "Val", "Test"), SPLIT),
    Case("splits with words", lambda: three_splits("training_set", "validation_set", "test_set"), SPLIT),
    Case("splits with a number", lambda: three_splits("train1", "valid1", "test1"), SPLIT),
    Case("splits with a prefix", lambda: three_splits("seg_train", "seg_val", "seg_test"), SPLIT),
    Case("splits with a suffix", lambda: three_splits("Train_Faces", "Val_Faces", "Test_Faces"), SPLIT),
    Case(
        "splits with the data set before",
        lambda: three_splits("cifake-train", "cifake-dev", "cifake-test"),
        SPLIT,
    ),
    Case(
        "splits of two words",
        lambda: three_splits("Training Data", "Validation Data", "Testing Data"),
        SPLIT,
    ),
    Case(
        "splits of which one has another ending",
        lambda: three_splits("Train", "Valid_set", "test-images"),
        SPLIT,
    ),
    Case("splits with a year", lambda: three_splits("train2017", "val2017", "test2017"), SPLIT),
    Case(
        "training and evaluation",
        lambda: three_splits("training", "validation", "evaluation"),
        SPLIT._replace(notes=("evaluation", "test")),
    ),
    Case(
        "unlabelled images beside the splits",
        lambda: three_splits() | images("unlabeled", 5),
        SPLIT._replace(notes=("unlabeled", "5 images")),
    ),
    Case("splits as numbered folders", lambda: three_splits("1_train", "2_val", "3_test"), SPLIT),
    Case(
        "eval beside a test",
        lambda: three_splits(validation="eval"),
        SPLIT._replace(notes=("eval", "validation")),
    ),
    Case(
        "holdout beside a validation",
        lambda: three_splits(test="holdout"),
        SPLIT._replace(notes=("holdout", "test")),
    ),
    Case(
        "train and validation only",
        lambda: images("train/{FAKE,REAL}", 10) | images("validation/{FAKE,REAL}", 3),
        Reads(each("FAKE,REAL", 10), each("FAKE,REAL", 3)),
    ),
    Case("train alone is a wrapper", lambda: two("train/"), Reads(TWO)),
    Case("test is a class beside control", lambda: images("{test,control}"), Reads(each("control,test"))),
    Case("train is a class of vehicles", lambda: images("{boat,car,train}"), Reads(each("boat,car,train"))),
    Case(
        "no training split",
        lambda: images("{val,test}/{FAKE,REAL}"),
        Refuses("train", "val", "test", "--splits"),
    ),
    Case(
        "no training split but a wish",
        lambda: images("{val,test}/{FAKE,REAL}"),
        Reads(TWO, test=TWO),
        {"splits": "train=val,test=test"},
    ),
    Case(
        "splits of own names",
        lambda: three_splits("fit", "tune", "judge"),
        SPLIT,
        {"splits": "train=fit,validation=tune,test=judge"},
    ),
    Case(
        "splits of own names without a wish",
        lambda: three_splits("fit", "tune", "judge"),
        Reads(each("FAKE,REAL", 13), groups=("fit", "tune", "judge"), notes=("groups", "fit")),
    ),
    Case(
        "a wish for a folder that is not there",
        lambda: three_splits("fit", "tune", "judge"),
        Refuses("fitting", "fit", "splits"),
        {"splits": "train=fitting,test=judge"},
    ),
    Case(
        "two test splits", lambda: three_splits(validation="testing"), Refuses("test", "testing", "--splits")
    ),
    Case(
        "a test split without classes",
        lambda: images("train/{FAKE,REAL}") | images("test", 5),
        Reads(TWO, notes=("test", "5 images", "tuner predict")),
    ),
    Case(
        "a test split without classes in a folder of its own",
        lambda: images("train/{FAKE,REAL}") | images("test/images", 5),
        Reads(TWO, notes=("test", "5 images", "tuner predict")),
    ),
    Case(
        "images to predict beside the splits",
        lambda: three_splits() | images("images to predict", 2),
        SPLIT._replace(notes=("images to predict", "2 images")),
    ),
    Case(
        "class folders beside the splits",
        lambda: three_splits() | images("more/{FAKE,REAL}", 2),
        Refuses("more", "--exclude"),
    ),
    Case(
        "class folders beside the splits left out",
        lambda: three_splits() | images("more/{FAKE,REAL}", 2),
        SPLIT._replace(notes=("4 images", "more")),
        {"exclude": ["more"]},
    ),
    Case(
        "a class only in the test",
        lambda: three_splits() | images("test/other", 3),
        Refuses("other", "test", "--exclude"),
    ),
    Case(
        "a class only in train",
        lambda: three_splits() | images("train/other"),
        Refuses("other", "test", "--exclude"),
    ),
    Case(
        "letter case differs between splits",
        lambda: images("train/{fake,real}") | images("test/{Fake,REAL}", 4),
        Reads(each("fake,real"), test=each("fake,real", 4), notes=("Fake", "REAL")),
    ),
    Case(
        "normalisation differs between splits",
        lambda: (
            images(unicodedata.normalize("NFC", "train/{café,thé}"))
            | images(unicodedata.normalize("NFD", "test/{café,thé}"), 4)
        ),
        Reads(each("café,thé"), test=each("café,thé", 4)),
    ),
    Case(
        "splits inside two classes",
        lambda: images("{FAKE,REAL}/train") | images("{FAKE,REAL}/test", 4),
        Reads(TWO, test=each("FAKE,REAL", 4)),
    ),
    Case(
        "splits inside many classes",
        lambda: (
            images("{cat,dog,owl}/train") | images("{cat,dog,owl}/val", 3) | images("{cat,dog,owl}/test", 4)
        ),
        Reads(each("cat,dog,owl"), each("cat,dog,owl", 3), each("cat,dog,owl", 4)),
    ),
    Case(
        "split and class in one name",
        lambda: images("{trainA,trainB}") | images("{testA,testB}", 4),
        Reads(each("A,B"), test=each("A,B", 4)),
    ),
    Case(
        "split and class in one long name",
        lambda: images("{train_fake,train_real}") | images("{test_fake,test_real}", 4),
        Reads(each("fake,real"), test=each("fake,real", 4)),
    ),
    Case(
        "one split in the names of the classes",
        lambda: images("{training_fake,training_real}"),
        Reads(each("training_fake,training_real")),
    ),
]
