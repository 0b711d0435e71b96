"""Archives of images."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from .forms import (
    Case,
    Files,
    Pack,
    Reads,
    Refuses,
    each,
    images,
    labelled,
    numbered,
    raw,
    tar_bytes,
    tarred,
    texts,
    zip_bytes,
    zipped,
)

TWO = each("FAKE,REAL")
READS = Reads(TWO)


def two() -> Files:
    return images("set/{FAKE,REAL}")


def splits() -> Files:
    return images("set/train/{FAKE,REAL}") | images("set/test/{FAKE,REAL}", 4)


def one(data: Callable[[], bytes]) -> Callable[[], Files]:
    return lambda: {"": data()}


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zip_of(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in (*two().items(), *entries):
            archive.writestr(name, data)
    return buffer.getvalue()


def zip64() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in two().items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                entry.write(data)
    return buffer.getvalue()


def zip_with_link() -> bytes:
    entry = zipfile.ZipInfo("set/latest")
    entry.external_attr = 0o120777 << 16
    return zip_of((entry, b"FAKE"))


def zip_with_backslashes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in two().items():
            entry = zipfile.ZipInfo()
            entry.filename = name.replace("/", "\\")
            archive.writestr(entry, data)
    return buffer.getvalue()


def old_zip(name: bytes) -> bytes:
    """Return a zip with a class whose name has other bytes than UTF-8, without the flag of UTF-8."""
    files = images("set/{FAKE,REAL}")
    return zip_bytes(files).replace(b"set/REAL", b"set/" + name)


def encrypted() -> bytes:
    data = bytearray(zip_bytes(two()))
    for start, flag in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = data.find(start)
        while place >= 0:
            data[place + flag] |= 1
            place = data.find(start, place + 4)
    return bytes(data)


def tars() -> list[Case]:
    names = {"gz": "set.tar.gz", "bz2": "set.tar.bz2", "xz": "set.tar.xz", "": "set.tar"}
    return [
        Case(
            f"a tar, {mode or 'plain'}",
            splits,
            Reads(TWO, test=each("FAKE,REAL", 4)),
            pack=tarred(name, f"w:{mode}"),
        )
        for mode, name in names.items()
    ]


def other(suffix: str, first: bytes, *words: str) -> Case:
    return Case(
        f"a file of {suffix}",
        one(lambda: first + b"x" * 200),
        Refuses(suffix, *words),
        pack=raw(f"set.{suffix}"),
    )


def in_old_names(name: str = "set.zip") -> Pack:
    return lambda root, _: _write(root / name, old_zip(b"caf\xe9"))


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


ZIPS = [
    Case("a zip", splits, Reads(TWO, test=each("FAKE,REAL", 4)), pack=zipped()),
    Case("a zip deflated", two, READS, pack=zipped(method=zipfile.ZIP_DEFLATED)),
    Case("a zip by bzip2", two, READS, pack=zipped(method=zipfile.ZIP_BZIP2)),
    Case("a zip by lzma", two, READS, pack=zipped(method=zipfile.ZIP_LZMA)),
    Case("a zip in capitals", two, READS, pack=zipped("SET.ZIP")),
    Case("a zip without a suffix", two, READS, pack=zipped("download")),
    Case("a zip called otherwise", two, READS, pack=zipped("data.bin")),
    Case(
        "a zip of a mac",
        lambda: two() | {"__MACOSX/set/REAL/._img_0.png": b"\0\5", "set/.DS_Store": b"x"},
        Reads(TWO, notes=None),
        pack=zipped(),
    ),
    Case("a zip64", one(zip64), READS, pack=raw("set.zip")),
    Case(
        "a zip with a program before", one(lambda: b"MZ" * 500 + zip_bytes(two())), READS, pack=raw("set.zip")
    ),
    Case("a zip with dots before", lambda: {f"./{k}": v for k, v in two().items()}, READS, pack=zipped()),
    Case(
        "a tar.gz in a zip",
        one(lambda: zip_bytes({"i.tar.gz": tar_bytes(two(), "w:gz")})),
        READS,
        pack=raw("s.zip"),
    ),
    Case(
        "a zip in a tar",
        one(lambda: tar_bytes({"inner.zip": zip_bytes(two())})),
        Refuses("inner.zip"),
        pack=raw("set.tar"),
    ),
    Case("no suffixes in a zip", lambda: images("set/{FAKE,REAL}", name="{}"), READS, pack=zipped()),
    Case(
        "a table in a zip",
        lambda: (
            images("set/train", 12, "{}.png")
            | {"set/train.csv": labelled(numbered(12, "{}"), "FAKE,REAL", "id,label")}
        ),
        READS,
        pack=zipped(),
    ),
    Case("a zip of windows", one(zip_with_backslashes), READS, pack=raw("set.zip")),
    Case(
        "a zip in a zip", one(lambda: zip_bytes({"inner.zip": zip_bytes(two())})), READS, pack=raw("set.zip")
    ),
    Case(
        "a tar in a zip", one(lambda: zip_bytes({"inner.tar": tar_bytes(two())})), READS, pack=raw("set.zip")
    ),
    Case(
        "a zip three deep",
        one(lambda: zip_bytes({"b.zip": zip_bytes({"c.zip": zip_bytes(two())})})),
        Refuses("zip"),
        pack=raw("set.zip"),
    ),
    Case(
        "a zip for each class",
        lambda: {f"{name}.zip": zip_bytes(images(name)) for name in TWO},
        Refuses(".zip"),
        pack=zipped(),
    ),
    Case("a link in a zip", one(zip_with_link), Reads(TWO, notes=("latest", "link")), pack=raw("set.zip")),
    Case("names of an old zip", lambda: {}, Reads({"FAKE": 6, "café": 6}), pack=in_old_names()),
    Case("a part of a zip", splits, Reads(each("FAKE,REAL", 4)), pack=zipped(inside="set/test")),
    Case(
        "a part of a zip that is not there", splits, Refuses("tets", "test"), pack=zipped(inside="set/tets")
    ),
    Case(
        "an empty class in a zip",
        lambda: two() | {"set/third/": b""},
        Reads(TWO, notes=("third",)),
        pack=zipped(),
    ),
    Case(
        "texts in a zip", lambda: two() | texts("set/REAL", 3), Reads(TWO, notes=("3", ".txt")), pack=zipped()
    ),
    Case("an empty zip", dict, Refuses("no images"), pack=zipped()),
    Case("a zip cut off", one(lambda: zip_bytes(two())[:2000]), Refuses("part"), pack=raw("set.zip")),
    Case("a zip with a password", one(encrypted), Refuses("encrypted"), pack=raw("set.zip")),
    Case("a way out of a zip", lambda: two() | {"../../evil.png": b"x"}, Refuses("evil.png"), pack=zipped()),
    Case(
        "an absolute name in a zip",
        lambda: two() | {"/etc/evil.png": b"x"},
        Refuses("evil.png"),
        pack=zipped(),
    ),
]

TARS = [
    *tars(),
    Case("a tgz", two, READS, pack=tarred("set.tgz")),
    Case("a tar called zip", two, READS, pack=tarred("set.zip", "w")),
    Case("a tar without a suffix", two, READS, pack=tarred("download")),
    Case(
        "a tar of a mac",
        lambda: two() | {f"set/FAKE/._img_{k}.png": b"\0\5\x16\7" for k in range(6)},
        Reads(TWO, notes=None),
        pack=tarred(),
    ),
    Case("a tar with long names", lambda: images(f"set/{'n' * 120}/{{FAKE,REAL}}"), READS, pack=tarred()),
    Case("a tar with a dot before", lambda: {f"./{k}": v for k, v in two().items()}, READS, pack=tarred()),
    Case("a part of a tar", splits, Reads(each("FAKE,REAL", 4)), pack=tarred(inside="set/test")),
    Case(
        "links in a tar",
        one(
            lambda: tar_bytes(
                two(),
                "w:gz",
                (link("set/a.png", "/etc/passwd"), link("set/b.png", "set/a.png", tarfile.LNKTYPE)),
            )
        ),
        Reads(TWO, notes=("a.png", "link")),
        pack=raw("set.tar.gz"),
    ),
    Case(
        "a pipe in a tar",
        one(lambda: tar_bytes(two(), "w:gz", (link("set/p.png", "", tarfile.FIFOTYPE),))),
        Reads(TWO, notes=("p.png",)),
        pack=raw("set.tar.gz"),
    ),
    Case("a way out of a tar", lambda: two() | {"../evil.png": b"x"}, Refuses("evil.png"), pack=tarred()),
    Case(
        "a table in a tar",
        lambda: (
            images("train", 12)
            | {
                "train.csv": b"id,label\n"
                + b"".join(b"img_%d,%s\n" % (k, (b"FAKE", b"REAL")[k % 2]) for k in range(12))
            }
        ),
        READS,
        pack=tarred(),
    ),
    Case(
        "a tar cut off",
        one(lambda: tar_bytes(two(), "w:gz")[:1000]),
        Refuses("part"),
        pack=raw("set.tar.gz"),
    ),
    Case("an empty tar", dict, Refuses("no images"), pack=tarred()),
    Case(
        "a gz that is no tar",
        one(lambda: gzip.compress(b"\0\0\x08\x03" + b"x" * 900)),
        Refuses("gz"),
        pack=raw("train-images-idx3-ubyte.gz"),
    ),
]

OTHERS = [
    other("tar.zst", b"\x28\xb5\x2f\xfd"),
    other("7z", b"7z\xbc\xaf\x27\x1c", "zip"),
    other("rar", b"Rar!\x1a\x07", "zip"),
    other("h5", b"\x89HDF\r\n\x1a\n", "npz"),
    other("tfrecord", b""),
    other("mat", b"MATLAB 5.0"),
    other("pkl", b"\x80\x04"),
    other("parquet", b"PAR1"),
    other("pdf", b"%PDF"),
    Case("one image", lambda: images("", 1), Refuses("img_0.png", "folder"), pack=raw("img_0.png")),
    Case("an archive that is not there", dict, Refuses("none.zip"), pack=lambda root, _: root / "none.zip"),
]

CASES = [*ZIPS, *TARS, *OTHERS]
