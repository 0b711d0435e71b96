"""Tar archives, compressed or not, and archives in archives."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.data.dataset import load_dataset
from tuner.errors import DataError
from tuner.sources import archives
from tuner.sources.archives import ArchiveSource
from tuner.sources.listing import MAX_IMAGE_BYTES, UnreadableError

from .pictures import png, tree, write_zip
from .refusals import refusal

FILES = tree("FAKE", "REAL", count=2)
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}


def tar_bytes(*entries: tuple[str | tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form, errors="surrogateescape") as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name) if isinstance(name, str) else name
            if entry.isreg():
                entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def special(name: str, kind: bytes, target: str = "FAKE/000.png") -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry, b""


def write(path: Path, data: bytes) -> ArchiveSource:
    path.write_bytes(data)
    return ArchiveSource(path)


def read_all(source: ArchiveSource) -> dict[str, object]:
    listing = source.listing()
    with listing.open_reader() as read:
        return dict(zip(listing.paths, map(read, listing.handles), strict=True))


def kept(cache_root: Path) -> list[Path]:
    return [path for path in cache_root.glob("archives/**/*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@pytest.mark.parametrize("named", ["right", "zip", ""])
def test_a_tar_archive_is_known_by_its_content(tmp_path: Path, suffix: str, named: str) -> None:
    name = f"d.{suffix if named == 'right' else named}"
    source = write(tmp_path / name, COMPRESSIONS[suffix](tar_bytes(*FILES.items())))
    assert read_all(source) == FILES


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_only_a_compressed_archive_is_unpacked_and_once(
    tmp_path: Path, cache_root: Path, suffix: str
) -> None:
    source = write(tmp_path / "d", COMPRESSIONS[suffix](tar_bytes(*FILES.items())))
    source.listing()
    before = [(path, path.stat().st_mtime_ns) for path in kept(cache_root)]
    assert len(before) == (0 if suffix == "tar" else 2)  # with its checksum
    source.listing()
    assert [(path, path.stat().st_mtime_ns) for path in kept(cache_root)] == before


def test_an_unpacked_archive_that_changed_is_unpacked_anew(tmp_path: Path, cache_root: Path) -> None:
    source = write(tmp_path / "d", COMPRESSIONS["tar.gz"](tar_bytes(*FILES.items())))
    source.listing()
    (path,) = cache_root.glob("archives/*/unpacked")
    unpacked = path.read_bytes()
    place = unpacked.index(FILES[next(iter(FILES))]) + 20
    path.write_bytes(unpacked[:place] + b"x" + unpacked[place + 1 :])
    assert read_all(source) == FILES
    assert path.read_bytes() == unpacked


def test_the_name_of_the_data_set_has_no_suffix(tmp_path: Path) -> None:
    assert ArchiveSource(tmp_path / "photos.tar.gz").name == "photos"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_names_of_other_languages_are_read(tmp_path: Path, form: int) -> None:
    files = {f"./{folder}/{'x' * 120}/1.png": png(seed) for seed, folder in enumerate(("猫", "café"))}
    source = write(tmp_path / "d.tar", tar_bytes(*files.items(), form=form))
    assert source.listing().class_names == ("café", "猫")
    assert source.contents().notes == ()


def test_names_that_are_not_utf_8_are_read_and_said(tmp_path: Path) -> None:
    names = {name.encode("latin-1").decode("utf-8", "surrogateescape") for name in ("é/1.png", "ü/1.png")}
    source = write(tmp_path / "d.tar", tar_bytes(*((name, png(len(name))) for name in names)))
    assert source.listing().class_names == ("é", "ü")
    (note,) = source.contents().notes
    assert "latin-1" in note


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_left_out_and_named(tmp_path: Path, kind: bytes) -> None:
    source = write(tmp_path / "d.tar", tar_bytes(*FILES.items(), special("REAL/link.png", kind)))
    assert read_all(source) == FILES
    (note,) = source.contents().notes
    assert "REAL/link.png" in note


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "REAL/../../evil.png"])
def test_a_path_that_leads_out_refuses_the_archive(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "d.tar", tar_bytes(*FILES.items(), (name, b"")))
    with refusal(DataError, "d.tar", name, "leads out"):
        source.listing()


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_a_part_of_an_archive_is_refused_and_leaves_nothing(
    tmp_path: Path, cache_root: Path, suffix: str
) -> None:
    data = COMPRESSIONS[suffix](tar_bytes(*FILES.items()))
    source = write(tmp_path / f"d.{suffix}", data[: len(data) // 3])
    with refusal(DataError, f"d.{suffix}", "only a part", "again"):
        source.listing()
    assert kept(cache_root) == []


@pytest.mark.parametrize("place", [1024, 3000])
def test_an_archive_that_ends_between_files_or_in_rubbish_is_a_part(tmp_path: Path, place: int) -> None:
    entry = tar_bytes(("REAL/1.png", bytes(512)))
    for data in (entry[:1024], entry[:1024] + b"x" * place):
        with refusal(DataError, "only a part", "end mark"):
            write(tmp_path / "d.tar", data).listing()


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    with refusal(DataError, "d.tar", "no images"):
        write(tmp_path / "d.tar", tar_bytes()).listing()


@pytest.mark.parametrize("size", [-512, 2**62])
def test_a_size_that_cannot_be_true_is_refused(tmp_path: Path, size: int) -> None:
    entry = tarfile.TarInfo("REAL/1.png")
    entry.size = size
    data = entry.tobuf(tarfile.GNU_FORMAT) + bytes(10240)
    with refusal(DataError, "d.tar", "only a part"):
        write(tmp_path / "d.tar", data).listing()


def test_a_header_of_absurd_size_is_refused(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("././@LongLink")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 2**40
    with refusal(DataError, "d.tar", f"{2**40:,}"):
        write(tmp_path / "d.tar", entry.tobuf(tarfile.GNU_FORMAT) + bytes(10240)).listing()


def test_a_file_that_is_too_large_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "d.tar"
    entry = tarfile.TarInfo("REAL/1.png")
    entry.size = MAX_IMAGE_BYTES + 512
    with path.open("wb") as file:
        file.write(entry.tobuf(tarfile.GNU_FORMAT))
        file.truncate(file.tell() + entry.size + 1024)
    contents = ArchiveSource(path).contents()
    with contents.open_reader() as read, pytest.raises(UnreadableError, match=f"{entry.size:,}"):
        read(contents.images[0].handle)


def test_an_archive_that_unpacks_to_too_much_is_refused_and_leaves_nothing(
    tmp_path: Path, cache_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_FREE_BYTES", 2**20)
    source = write(tmp_path / "d.tar.xz", lzma.compress(tar_bytes(("REAL/1.png", bytes(4 * 2**20)))))
    with refusal(DataError, "d.tar.xz", f"{2**20:,}", "folder"):
        source.listing()
    assert kept(cache_root) == []


@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_a_compressed_file_that_is_no_archive_is_refused(tmp_path: Path, suffix: str) -> None:
    source = write(tmp_path / f"labels.{suffix}", COMPRESSIONS[f"tar.{suffix}"](b"path,label\n" * 100))
    with refusal(DataError, f"labels.{suffix}", "no tar archive"):
        source.listing()


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_the_digest_changes_with_the_content_at_one_time(tmp_path: Path, suffix: str) -> None:
    digests = []
    for seed in (1, 2, 2):
        source = write(tmp_path / "d", COMPRESSIONS[suffix](tar_bytes(("REAL/1.png", png(seed)))))
        os.utime(source.path, (0, 0))
        digests.append(source.digest())
    assert digests[0] != digests[1] == digests[2]


def test_a_folder_of_a_compressed_archive_is_a_data_set(tmp_path: Path) -> None:
    files = tree("set/sub/a", "set/sub/b", "set/other", count=4)
    path = write(tmp_path / "x.tar.gz", gzip.compress(tar_bytes(*files.items()))).path
    dataset = load_dataset(f"{path}/set/sub")
    assert dataset.name == "x-set-sub"
    assert dataset.class_names == ("a", "b")


def inner_zip(tmp_path: Path, files: dict[str, bytes] = FILES) -> bytes:
    return write_zip(tmp_path / "inner", files).read_bytes()


@pytest.mark.parametrize("kind", ["zip", *COMPRESSIONS])
@pytest.mark.parametrize("method", [0, 8])
def test_the_only_archive_in_a_zip_archive_is_opened(tmp_path: Path, kind: str, method: int) -> None:
    data = inner_zip(tmp_path) if kind == "zip" else COMPRESSIONS[kind](tar_bytes(*FILES.items()))
    path = write_zip(tmp_path / "d.zip", {f"in/all.{kind}": data, "readme.txt": b"x"}, method)
    assert read_all(ArchiveSource(path)) == FILES
    assert any(f"in/all.{kind}" in note for note in ArchiveSource(path).contents().notes)


def test_of_several_archives_in_an_archive_one_is_to_be_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", {"train.zip": inner_zip(tmp_path), "test.zip": b""})
    with refusal(DataError, "test.zip", "train.zip", f"{path}/"):
        ArchiveSource(path).listing()
    assert read_all(ArchiveSource(path, "train.zip")) == FILES


def test_a_table_beside_the_only_archive_labels_its_images(tmp_path: Path) -> None:
    images = {f"{number}.png": png(number) for number in range(4)}
    rows = "".join(f"{name},{'odd' if int(name[0]) % 2 else 'even'}\n" for name in images)
    inner = {"images.zip": inner_zip(tmp_path, images), "labels.csv": f"file,label\n{rows}".encode()}
    source = ArchiveSource(write_zip(tmp_path / "d.zip", inner))
    assert read_all(source) == images
    assert source.listing().class_names == ("even", "odd")


def test_archives_beside_images_stay_closed(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", {**FILES, "more.zip": inner_zip(tmp_path, tree("X", count=1))})
    assert read_all(ArchiveSource(path)) == FILES


def test_deeper_archives_are_refused(tmp_path: Path) -> None:
    inner = inner_zip(tmp_path, {"2.zip": inner_zip(tmp_path)})
    path = write_zip(tmp_path / "d.zip", {"1.zip": inner})
    with refusal(DataError, "1.zip", "2.zip", "Unpack"):
        ArchiveSource(path).listing()


def test_a_damaged_archive_in_an_archive_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", {"1.tar.gz": gzip.compress(tar_bytes(*FILES.items()))[:200]})
    with refusal(DataError, "d.zip/1.tar.gz", "only a part"):
        ArchiveSource(path).listing()
