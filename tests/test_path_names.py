import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tuner.path_names import named_path, printable

LATIN_1 = os.fsdecode(b"caf\xe9")


def test_names_become_printable_on_one_line() -> None:
    assert printable("ü b\n\udce4.png") == r"ü b\n\udce4.png"


def test_names_in_utf8_are_shown_as_they_are_where_the_locale_knows_no_utf8() -> None:
    in_ascii = "café".encode().decode("ascii", "surrogateescape")
    assert printable(in_ascii) == "café"


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_name_becomes_printable(name: str) -> None:
    printable(name).encode("utf-8")
    named_path(name)


def test_the_printable_form_of_a_path_names_it(tmp_path: Path) -> None:
    for name in (LATIN_1, "two\nlines", r"a\n"):
        (tmp_path / name).mkdir()
        assert named_path(printable(str(tmp_path / name))) == str(tmp_path / name)


def test_other_texts_name_what_they_say() -> None:
    assert named_path(r"C:\new\udce4") == r"C:\new\udce4"
