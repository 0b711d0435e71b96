"""Arrays of NumPy with images and labels."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .forms import Case, Files, Reads, Refuses, each, file_in, noise, npy, npz

N = 20
Y = np.arange(N) % 2
NUMBERS = each("0,1", 10)
NAMED = each("FAKE,REAL", 10)


def x(count: int = N, *shape: int) -> npt.NDArray[np.uint8]:
    return np.stack([noise(*(shape or (8, 8, 3))) for _ in range(count)])


def floats(low: float, high: float) -> npt.NDArray[np.float32]:
    return (x() / 255 * (high - low) + low).astype(np.float32)


def whole(
    images: Callable[[], npt.ArrayLike], labels: npt.ArrayLike = Y, **more: npt.ArrayLike
) -> Callable[[], Files]:
    return lambda: npz(x=images(), y=labels, **more)


def names(first: str, second: str) -> Callable[[], Files]:
    return lambda: npz(**{first: x(), second: Y})


def split_names(form: str, labels: str, validation: str = "") -> Callable[[], Files]:
    counts = {"train": N, "test": 6, **({validation: 4} if validation else {})}
    given = {labels.format(split): Y[:count] for split, count in counts.items()}
    return lambda: npz(**given, **{form.format(split): x(count) for split, count in counts.items()})


def case(name: str, files: Callable[[], Files], outcome: Reads | Refuses, **options: object) -> Case:
    return Case(name, files, outcome, options, file_in("arrays.npz"))


def folder_of(**arrays: Callable[[], npt.ArrayLike]) -> Callable[[], Files]:
    return lambda: {f"{name}.npy": npy(make()) for name, make in arrays.items()}


SPLIT = Reads(NUMBERS, test=each("0,1", 3))
WHOLE = Reads(NUMBERS)

NAMES = [
    case("arrays of keras", split_names("x_{}", "y_{}"), SPLIT),
    case("arrays in capitals", split_names("X_{}", "y_{}"), SPLIT),
    case(
        "arrays of medmnist",
        split_names("{}_images", "{}_labels", "val"),
        Reads(NUMBERS, each("0,1", 2), each("0,1", 3)),
    ),
    case(
        "arrays with a validation",
        split_names("x_{}", "y_{}", "valid"),
        Reads(NUMBERS, each("0,1", 2), each("0,1", 3)),
    ),
    case("arrays with the split before", split_names("{}_x", "{}_y"), SPLIT),
    *(
        case(f"arrays {first} and {second}", names(first, second), WHOLE)
        for first, second in (
            ("X", "y"),
            ("X", "Y"),
            ("data", "target"),
            ("data", "labels"),
            ("image", "label"),
            ("images", "labels"),
            ("arr_0", "arr_1"),
        )
    ),
    case("names of classes", whole(x, class_names=["real", "fake"]), Reads(each("fake,real", 10))),
    case("names called classes", whole(x, classes=["real", "fake"]), Reads(each("fake,real", 10))),
    case("other arrays", whole(x, ids=np.arange(N)), Reads(NUMBERS, notes=("ids",))),
    case(
        "two complete sets",
        lambda: npz(x_train=x(), y_train=Y, x_test=x(6), y_test=Y[:6], x=x(), y=Y),
        SPLIT._replace(notes=("x, y",)),
    ),
    case(
        "a test without labels",
        lambda: npz(x_train=x(), y_train=Y, x_test=x(6)),
        Reads(NUMBERS, notes=("x_test", "tuner predict")),
    ),
    case("images without labels", lambda: npz(x=x()), Refuses("y", "x")),
    case("arrays of strange names", lambda: npz(foo=x(), bar=Y), Refuses("foo", "bar")),
]

LABELS = [
    case("labels as strings", whole(x, np.array(["FAKE", "REAL"])[Y]), Reads(NAMED)),
    case("labels as bytes", whole(x, np.array([b"FAKE", b"REAL"])[Y]), Reads(NAMED)),
    case(
        "labels as objects",
        whole(x, np.array(["FAKE", "REAL"], object)[Y]),
        Refuses("objects", "dtype=object"),
    ),
    case("labels in a column", whole(x, Y[:, None]), WHOLE),
    case("labels in a row", whole(x, Y[None]), WHOLE),
    case("labels one-hot", whole(x, np.eye(2, dtype=np.float32)[Y]), WHOLE),
    case("labels one-hot of whole numbers", whole(x, np.eye(2, dtype=np.int64)[Y]), WHOLE),
    case("labels one-hot of bool", whole(x, np.eye(2, dtype=bool)[Y]), WHOLE),
    case("labels of bool", whole(x, Y.astype(bool)), Reads(each("False,True", 10))),
    case("labels as floats", whole(x, Y.astype(np.float32)), WHOLE),
    case("labels -1 and 1", whole(x, Y * 2 - 1), Reads(each("-1,1", 10), notes=("-1",))),
    case("labels below -1", whole(x, Y * 3 - 2), Refuses("y", "-2")),
    case("labels of one class", whole(x, Y * 0), Refuses("class")),
    case("labels from 1", whole(x, Y + 1), Reads(each("1,2", 10))),
    case("labels of many classes an image", whole(x, np.ones((N, 3), int)), Refuses("y", "several classes")),
    case("labels to regress", whole(x, np.linspace(0, 1, N)), Refuses("y", "0.0526")),
    case("labels with NaN", whole(x, np.where(Y == 0, np.nan, 1.0)), Refuses("y", "nan")),
    case("fewer labels than images", whole(x, Y[:-1]), Refuses("19", "20")),
    case(
        "a class only in the test array",
        lambda: npz(x_train=x(), y_train=Y, x_test=x(6), y_test=np.array([0, 1, 2, 0, 1, 2])),
        Refuses("'2'", "test"),
    ),
    case(
        "one-hot in train and numbers in test",
        lambda: npz(x_train=x(), y_train=np.eye(2)[Y], x_test=x(6), y_test=Y[:6]),
        Refuses("y_train", "one-hot", "y_test"),
    ),
    case(
        "strings in train and numbers in test",
        lambda: npz(x_train=x(), y_train=np.array(["FAKE", "REAL"])[Y], x_test=x(6), y_test=Y[:6]),
        Refuses("y_train", "y_test"),
    ),
]

PIXELS = [
    case("grey arrays", whole(lambda: x(N, 8, 8)), WHOLE),
    case("grey arrays with a channel", whole(lambda: x(N, 8, 8, 1)), WHOLE),
    case("channels first", whole(lambda: x().transpose(0, 3, 1, 2)), WHOLE),
    case("channels first and grey", whole(lambda: x(N, 1, 8, 8)), WHOLE),
    case("channels at both ends", whole(lambda: x(N, 3, 8, 3)), Refuses("--data-format", "3")),
    case(
        "channels at both ends and a wish", whole(lambda: x(N, 3, 9, 3)), WHOLE, data_format="channels_last"
    ),
    case("flat images", whole(lambda: x().reshape(N, -1)), Refuses("192", "reshape")),
    case("flat square images", whole(lambda: x(N, 28, 28).reshape(N, -1)), Refuses("784", "28")),
    case("images last", whole(lambda: x().transpose(1, 2, 3, 0)), Refuses("20", "8")),
    case("two channels", whole(lambda: x(N, 8, 8, 2)), Refuses("x", "2")),
    case("four channels", whole(lambda: np.concatenate([x(), x(N, 8, 8, 1) // 2 + 128], axis=3)), WHOLE),
    case("no images in the array", whole(lambda: x()[:0], Y[:0]), Refuses("x", "0")),
    case("big-endian pixels", whole(lambda: (x().astype(np.uint16) * 257).astype(">u2")), WHOLE),
    case("signed pixels", whole(lambda: x().astype(np.int16).astype(np.int8)), Refuses("x", "-128")),
    case("complex pixels", whole(lambda: x().astype(np.complex64)), Refuses("x", "complex64")),
    case("pixels with names", whole(lambda: np.zeros(N, [("r", "u1")])), Refuses("x")),
    case("int64 pixels", whole(lambda: x().astype(np.int64)), WHOLE),
    case("int32 pixels", whole(lambda: x().astype(np.int32)), WHOLE),
    case("int16 pixels", whole(lambda: x().astype(np.int16)), WHOLE),
    case("float pixels to 1", whole(lambda: floats(0, 1)), WHOLE),
    case("float64 pixels to 255", whole(lambda: floats(0, 255).astype(np.float64)), WHOLE),
    case("float16 pixels to 1", whole(lambda: floats(0, 1).astype(np.float16)), WHOLE),
    case("float pixels just above 1", whole(lambda: floats(0, 1.0000001)), WHOLE),
    case("float pixels to 1.2", whole(lambda: floats(0, 1.2)), Reads(NUMBERS, notes=("1.2",))),
    case("float pixels from -1", whole(lambda: floats(-1, 1)), Reads(NUMBERS, notes=("-1",))),
    case("float pixels from -0.5", whole(lambda: floats(-0.5, 0.5)), Refuses("-0.5", "0.5")),
    case("pixels standardised", whole(lambda: floats(-2.1, 2.6)), Refuses("x", "-2.1", "2.6")),
    case("pixels with NaN", whole(lambda: np.where(x() == 0, np.nan, x())), Refuses("x", "nan")),
    case("12 bits in an array", whole(lambda: x().astype(np.uint16) * 16), Reads(NUMBERS, notes=("4095",))),
    case("16 bits in an array", whole(lambda: x().astype(np.uint16) * 257), WHOLE),
    case("pixels of 0 and 1", whole(lambda: x() // 128), Reads(NUMBERS, notes=("0", "1"))),
    case("pixels of bool", whole(lambda: x() > 127), WHOLE),
    case(
        "train to 1 beside a test to 255",
        lambda: npz(x_train=floats(0, 1), y_train=Y, x_test=floats(0, 255), y_test=Y),
        Refuses("x_train", "x_test", "255"),
    ),
    case(
        "images of many sizes", whole(lambda: np.array([x(1)[0], None], object), [0, 1]), Refuses("objects")
    ),
]

FILES = [
    Case("npy of images and of labels", folder_of(x=x, y=lambda: Y), WHOLE),
    Case("npy in capitals and one-hot", folder_of(X=lambda: floats(0, 1), Y=lambda: np.eye(2)[Y]), WHOLE),
    Case(
        "npy below a wrapper",
        lambda: {f"Sign-digits/{k}": v for k, v in folder_of(X=x, Y=lambda: Y)().items()},
        Refuses("Sign-digits", ".npy"),
    ),
    Case(
        "npy for each split",
        folder_of(X_train=x, y_train=lambda: Y, X_test=lambda: x(6), y_test=lambda: Y[:6]),
        SPLIT,
    ),
    Case(
        "npy of images by its name", folder_of(images=x, labels=lambda: Y), WHOLE, pack=file_in("images.npy")
    ),
    Case("npy without labels", folder_of(images=x), Refuses("labels"), pack=file_in("images.npy")),
    Case("a folder with npy without labels", folder_of(images=x), Refuses(".npy")),
    Case(
        "npz cut off",
        lambda: {"arrays.npz": npz(x=x(), y=Y)["arrays.npz"][:900]},
        Refuses("part"),
        pack=file_in("arrays.npz"),
    ),
    Case("npz in a folder", names("x", "y"), Refuses(".npz")),
]

CASES = [*NAMES, *LABELS, *PIXELS, *FILES]
