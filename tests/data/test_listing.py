from tuner.data.listing import printable


def test_names_become_printable_on_one_line() -> None:
    assert printable("ü b\n\udce4.png") == r"ü b\x0a\udce4.png".replace(r"\x0a", r"\n")
    printable("\udce4\x9b").encode("utf-8")
