"""Names of classes in pictures: in fonts that have their characters, and with no sign taken for a formula."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from tuner.units import listed

BOX = "□"
"""In the place of a character that no font has."""
_LONGEST = 28
_DEFAULT = "DejaVu Sans"
# Fonts for many scripts come first; those of formulas, or that have a box for everything, are of no use.
_FIRST = ("Noto Sans", "Arial Unicode", "Source Han Sans", "Noto")
_NEVER = ("cm", "STIXNon", "STIXSize", "Last Resort", "DejaVu Math")


@contextmanager
def drawn_names(class_names: Sequence[str]) -> Iterator[Callable[[str], str]]:
    """Yield a function that makes of a name the text to draw, while figures are made in the right fonts.

    Long names are cut. A character that no installed font has becomes BOX.
    """
    from matplotlib import rc_context

    families, missing = _fonts("".join(sorted({*"".join(class_names)})))
    instead = {ord(sign): _instead(sign) for sign in missing}

    def text(name: str) -> str:
        shown = name.translate(instead)
        return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"

    with rc_context({"font.family": list(families), "text.parse_math": False}):
        yield text


def font_note(class_names: Sequence[str]) -> str | None:
    """Return a sentence on the characters that pictures lack; None where they lack none."""
    signs = "".join(sorted({*"".join(class_names)}))
    # Fonts take a second to look for; each has these.
    missing = "" if signs.isascii() else "".join(filter(_is_seen, _fonts(signs)[1]))
    if not missing:
        return None
    return (
        f"no installed font has {listed(missing)} of the names of classes; pictures show {BOX} instead. "
        "Install a font that has them, such as Noto Sans CJK"
    )


@lru_cache
def _fonts(signs: str) -> tuple[tuple[str, ...], str]:
    """The families that together have most of these characters, and those that none has."""
    from matplotlib import font_manager

    families, missing = [_DEFAULT], _lacking(font_manager.findfont(_DEFAULT), signs)
    upright = (font for font in font_manager.fontManager.ttflist if font.style == "normal")
    # The regular font of a family comes last, and so counts; a bold one may have fewer characters.
    others = {
        font.name: font.fname
        for font in sorted(upright, key=lambda font: str(font.weight) in ("400", "normal"))
        if not font.name.startswith((_DEFAULT, *_NEVER))
    }
    for name in sorted(others, key=lambda name: (not name.startswith(_FIRST), name)):
        if not missing:
            break
        rest = _lacking(others[name], missing)
        if rest != missing:
            families.append(name)
            missing = rest
    return tuple(families), missing


def _lacking(path: str, signs: str) -> str:
    """Those of the characters that a font file lacks, or all where it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        font: Any = FT2Font(path)
    except (OSError, RuntimeError):
        return signs
    return "".join(sign for sign in signs if not font.get_char_index(ord(sign)))


def _instead(sign: str) -> str:
    return BOX if _is_seen(sign) else ""


def _is_seen(sign: str) -> bool:
    """Whether a character has a shape of its own; joiners and variations have none."""
    return unicodedata.category(sign) not in ("Cf", "Mn", "Cc")
