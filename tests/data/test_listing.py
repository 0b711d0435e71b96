import pytest

from tuner.data.listing import is_image_path, printable


@pytest.mark.parametrize("path", ["a/1.jpg", "a/1.JPEG", "a b/ü (2).png", "x.y/1.webp"])
def test_images_are_known_by_their_suffix(path: str) -> None:
    assert is_image_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "README.md",
        ".hidden.jpg",
        "a/._1.jpg",
        ".cache/1.jpg",
        "__MACOSX/a/1.jpg",
        "w/__MACOSX/1.jpg",
    ],
)
def test_other_and_hidden_files_are_no_images(path: str) -> None:
    assert not is_image_path(path)


def test_names_become_printable_on_one_line() -> None:
    assert printable("ü b\n\udce4.png") == r"ü b\x0a\udce4.png".replace(r"\x0a", r"\n")
    printable("\udce4\x9b").encode("utf-8")
