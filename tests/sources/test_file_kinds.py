import pytest

from tuner.sources.file_kinds import kind_of


@pytest.mark.parametrize(
    "path",
    [
        *("a/1.jpg", "a/1.JPEG", "a b/ü (2).png", "x.y/1.webp", "a/1.ico", "a/1.jp2", "a/1.tga", "a/1.HEIC"),
        *("a/two.dots.jpg", "a/space .jpg", "a/trail.jpg ", "eaDir/1.jpg"),
    ],
)
def test_images_are_known_by_their_suffix(path: str) -> None:
    assert kind_of(path) == "image"


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".hidden.jpg",
            "a/._1.jpg",
            ".cache/1.jpg",
            "__MACOSX/a/1.jpg",
            "w/__MACOSX/1.jpg",
            "@eaDir/x/1.jpg",
        ),
        *("$Recycle.Bin/1.jpg", "a/Thumbs.db", "Desktop.ini", "lost+found/1.jpg", "a/Icon\r"),
    ],
)
def test_hidden_files_and_those_of_systems_are_junk(path: str) -> None:
    assert kind_of(path) == "junk"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *(("README.md", "other"), ("a/film.MOV", "other"), ("a/raw.dng", "other"), ("t.csv", "table")),
        *(("LICENSE", "unknown"), ("a/dl.jpg.1", "unknown"), ("a/q.jpg?size=large", "unknown")),
    ],
)
def test_other_files_are_told_apart(path: str, kind: str) -> None:
    assert kind_of(path) == kind
