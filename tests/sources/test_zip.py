import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from tuner.errors import DataError
from tuner.sources.archives import ArchiveSource
from tuner.sources.listing import MAX_IMAGE_BYTES, UnreadableError
from tuner.sources.zip import MAX_RATIO, RATIO_FREE_BYTES, directory_digest

from .pictures import tree, write_zip
from .refusals import refusal

FILES = tree("REAL", "FAKE", count=2)


def source(path: Path) -> ArchiveSource:
    return ArchiveSource(path)


def read_all(archive: ArchiveSource) -> dict[str, object]:
    listing = archive.listing()
    with listing.open_reader() as read:
        return dict(zip(listing.paths, map(read, listing.handles), strict=True))


def patch_directory(path: Path, name: str, offset: int, value: int) -> None:
    """Overwrite four bytes of an entry in the central directory: 20 packed size, 24 size, 16 CRC."""
    data = bytearray(path.read_bytes())
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    struct.pack_into("<L", data, at + offset, value)
    path.write_bytes(data)


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_entries_are_read_in_place(tmp_path: Path, method: int) -> None:
    files = {**FILES, "README.md": b"x", "__MACOSX/REAL/._000.png": b"x"}
    assert read_all(source(write_zip(tmp_path / "d.zip", files, method))) == FILES


def test_backslashes_of_windows_tools_separate_folders(tmp_path: Path) -> None:
    files = {path.replace("/", "\\"): data for path, data in FILES.items()}
    assert read_all(source(write_zip(tmp_path / "d.zip", files))) == FILES


def test_paths_that_begin_with_a_dot_or_have_slashes_too_many_are_not_hidden(tmp_path: Path) -> None:
    files = {f"./{path.replace('/', '/.//')}": data for path, data in FILES.items()}
    hidden = {"./.cache/000.png": b"x", "./__MACOSX/REAL/000.png": b"x", "REAL.png\\": b""}
    assert read_all(source(write_zip(tmp_path / "d.zip", {**files, **hidden}))) == FILES


def test_of_two_entries_with_one_name_the_later_counts(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_zip(tmp_path / "d.zip", [*FILES.items(), ("REAL/000.png", b"later")])
    assert read_all(source(tmp_path / "d.zip"))["REAL/000.png"] == b"later"


@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "REAL/../../evil.png",
        "/etc/evil.png",
        "C:/evil.png",
        "..\\evil.png",
        "../note.txt",
        "./../evil.png",
    ],
)
def test_a_path_that_leads_out_refuses_the_archive(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "d.zip", {**FILES, name: b""})
    with refusal(DataError, "d.zip", re.split(r"[/\\]", name)[-1], "leads out"):
        source(path).listing()


@pytest.mark.parametrize("form", [stat.S_IFLNK, stat.S_IFIFO])
def test_a_link_or_a_device_is_left_out_and_named(tmp_path: Path, form: int) -> None:
    link = zipfile.ZipInfo("REAL/link.png")
    link.external_attr = (form | 0o777) << 16
    path = write_zip(tmp_path / "d.zip", [*FILES.items(), (link, b"/etc/passwd")])
    assert read_all(source(path)) == FILES
    (note,) = source(path).contents().notes
    assert "REAL/link.png" in note


def test_an_encrypted_entry_refuses_the_archive(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", FILES)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"FAKE/001.png") - 46 + 8] |= 1
    path.write_bytes(data)
    with refusal(DataError, "d.zip", "FAKE/001.png", "encrypted"):
        source(path).listing()


def test_an_unknown_packing_method_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", FILES)
    data = bytearray(path.read_bytes())
    data[data.rindex(b"FAKE/001.png") - 46 + 10] = 9
    path.write_bytes(data)
    with refusal(DataError, "d.zip", "FAKE/001.png", "method 9", "LZMA"):
        source(path).listing()


def test_a_claim_of_absurd_size_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", FILES, zipfile.ZIP_DEFLATED)
    patch_directory(path, "FAKE/001.png", 24, MAX_IMAGE_BYTES + 1)
    with refusal(DataError, "FAKE/001.png", "134,217,729", f"{MAX_RATIO} times"):
        source(path).listing()


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_compression_bomb_is_refused(tmp_path: Path, method: int) -> None:
    bomb = bytes(RATIO_FREE_BYTES + 1)
    path = write_zip(tmp_path / "d.zip", {**FILES, "REAL/bomb.png": bomb}, method)
    with refusal(DataError, "REAL/bomb.png", f"{len(bomb):,}", f"{MAX_RATIO} times"):
        source(path).listing()


@pytest.mark.parametrize("method", METHODS[1:])
def test_an_entry_that_unpacks_to_more_than_it_claims_is_refused(tmp_path: Path, method: int) -> None:
    path = write_zip(tmp_path / "d.zip", FILES, method)
    patch_directory(path, "REAL/000.png", 24, 10)
    with refusal(DataError, "REAL/000.png", "unpacks", "10 bytes"):
        read_all(source(path))


def test_a_stored_entry_cannot_claim_another_size(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", FILES)
    patch_directory(path, "REAL/000.png", 24, 10)
    with refusal(DataError, "REAL/000.png", "10 bytes", f"{len(FILES['REAL/000.png']):,}"):
        source(path).listing()


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", FILES)
    for name in FILES:
        size = path.stat().st_size // 2
        patch_directory(path, name, 20, size)
        patch_directory(path, name, 24, size)
    with refusal(DataError, "d.zip", "overlap"):
        source(path).listing()


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_entry_is_unreadable_and_spares_the_others(tmp_path: Path, method: int) -> None:
    path = write_zip(tmp_path / "d.zip", FILES, method)
    patch_directory(path, "REAL/000.png", 16, 123)
    listing = source(path).listing()
    with listing.open_reader() as read:
        with pytest.raises(UnreadableError, match="damaged"):
            read(listing.handles[listing.paths.index("REAL/000.png")])
        assert read(listing.handles[listing.paths.index("REAL/001.png")]) == FILES["REAL/001.png"]


@pytest.mark.parametrize("keep", [10, 500, -1])
def test_a_part_of_an_archive_is_refused(tmp_path: Path, keep: int) -> None:
    path = write_zip(tmp_path / "d.zip", FILES)
    path.write_bytes(path.read_bytes()[:keep])
    with refusal(DataError, "d.zip", "no zip archive", "part"):
        source(path).digest()


def test_a_directory_of_rubbish_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "d.zip", FILES)
    path.write_bytes(path.read_bytes().replace(b"PK\x01\x02", b"XXXX"))
    with refusal(DataError, "d.zip", "no zip archive"):
        source(path).listing()


def test_the_digest_changes_with_the_content_of_any_entry(tmp_path: Path) -> None:
    first = directory_digest(write_zip(tmp_path / "a.zip", FILES))
    name, data = next(iter(FILES.items()))
    other = bytes([data[0] ^ 1]) + data[1:]  # of the same size
    second = directory_digest(write_zip(tmp_path / "b.zip", {**FILES, name: other}))
    assert first != second
    (tmp_path / "c.zip").write_bytes((tmp_path / "a.zip").read_bytes())
    assert directory_digest(tmp_path / "c.zip") == first


def undeclared_names(path: Path, files: dict[str, bytes], encoding: str) -> Path:
    """Write names in an encoding that the archive does not say."""
    stand_ins = {name: re.sub("[^ -~]", "@", name) for name in files}
    write_zip(path, {stand_ins[name]: data for name, data in files.items()})
    data = path.read_bytes()
    for name, stand_in in stand_ins.items():
        data = data.replace(stand_in.encode(), name.encode(encoding))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["cp437", "latin-1"])
def test_names_of_old_tools_are_read_and_their_encoding_is_said(tmp_path: Path, encoding: str) -> None:
    files = tree("Müsli", "Café", count=2)
    path = undeclared_names(tmp_path / "d.zip", files, encoding)
    assert read_all(source(path)) == files
    (note,) = source(path).contents().notes
    assert encoding in note
    assert "Café/000.png" in note


def test_names_in_utf_8_that_do_not_say_so_are_read_as_such(tmp_path: Path) -> None:
    files = tree("é", "ü", count=2)
    path = tmp_path / "d.zip"
    write_zip(path, files)
    data = bytearray(path.read_bytes())
    for found in re.finditer(rb"PK\x01\x02", bytes(data)):
        data[found.start() + 9] &= ~8
    path.write_bytes(data)
    assert read_all(source(path)) == files
    assert source(path).contents().notes == ()


def test_the_unicode_name_of_info_zip_counts(tmp_path: Path) -> None:
    entries = []
    for path, data in FILES.items():
        entry = zipfile.ZipInfo(path)
        name = path.replace("REAL", "猫").encode()
        field = b"\x01" + zlib.crc32(path.encode()).to_bytes(4, "little") + name
        entry.extra = struct.pack("<2H", 0x7075, len(field)) + field
        entries.append((entry, data))
    listing = source(write_zip(tmp_path / "d.zip", entries)).listing()
    assert listing.class_names == ("FAKE", "猫")
