"""An archive of class folders, as it is downloaded."""

import tarfile
from pathlib import Path

from tests.cli.conftest import run_command
from tests.pools import stub_pool


def test_a_tar_archive_is_searched_as_it_is(images: Path, tmp_path: Path, cache: Path) -> None:
    with tarfile.open(tmp_path / "tiny.tar.gz", "w:gz") as archive:
        archive.add(images / "train", "photos")
        link = tarfile.TarInfo("photos/latest.png")
        link.type, link.linkname = tarfile.SYMTYPE, "FAKE/000.png"
        archive.addfile(link)
    done = run_command(
        *("search", "--data", "tiny.tar.gz"),
        cwd=tmp_path,
        cache=cache,
        pool=stub_pool(lambda _, epoch: epoch / 100),
        TUNER_MAX_TRIALS="1",
    )
    assert done.code == 0, done.stderr
    assert "photos/latest.png" in done.stderr
    assert "true \\ predicted" in done.stdout
    (run,) = (tmp_path / "results").iterdir()
    assert "tiny" in run.name
