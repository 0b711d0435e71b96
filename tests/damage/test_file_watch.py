"""The watch that other tests rely on sees what they say that nobody does."""

import shutil
import sys

import pytest

from tests.damage.file_watch import watching

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is of Linux")

TOUCHES = {
    "read": lambda path: path.read_bytes(),
    "written": lambda path: path.write_bytes(b"other"),
    "created": lambda path: path.with_name("new").touch(),
    "removed": lambda path: path.unlink(),
    "moved away": lambda path: path.rename(path.with_name("other")),
    "given other properties": lambda path: path.chmod(0o600),
    "removed itself": lambda path: shutil.rmtree(path.parent),
}


@pytest.mark.parametrize("event", TOUCHES)
def test_a_file_that_is_touched_through_a_link_is_seen(tmp_path, event):
    secret = tmp_path / "victim" / "deep" / "secret.txt"
    secret.parent.mkdir(parents=True)
    secret.write_text("secret")
    (tmp_path / "link").symlink_to(secret.parent)
    with watching(tmp_path / "victim") as watch:
        if event != "removed itself":
            secret = tmp_path / "link" / secret.name
        TOUCHES[event](secret)
        assert event in {text.partition(":")[0] for text in watch.events()}


def test_a_folder_that_nobody_touches_has_no_events(tmp_path):
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "secret.txt").write_text("secret")
    (tmp_path / "beside").write_text("beside")
    with watching(tmp_path / "victim") as watch:
        (tmp_path / "beside").read_text()
        assert (tmp_path / "victim" / "secret.txt").exists()
        assert watch.events() == []
