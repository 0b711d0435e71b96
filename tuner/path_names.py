"""Paths and other texts of files in a form that can be printed, and paths back from it."""

from __future__ import annotations

import os
import re

# Control characters, line separators and the surrogates that stand for bytes that are not UTF-8: none of them
# can be printed on one line or written to a UTF-8 file.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# What a terminal acts on; newlines and tabs lay out a text. The last two ranges change the direction of
# writing, so that a name reads as another.
_ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_ESCAPE = re.compile(r"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})")


def printable(path: str) -> str:
    r"""Return the path with escapes such as \n or \udc80 for characters that do not fit on one line.

    In any locale, names in UTF-8 are shown as they are.
    """
    return path if path.isprintable() else _UNPRINTABLE.sub(_escaped, in_utf8(path))


def visible(text: str) -> str:
    r"""Return a text with escapes such as \x1b for characters that a terminal acts on.

    Newlines and tabs stay. The visible form of a visible form is itself.
    """
    return text if text.isprintable() else _ACTED_ON.sub(_escaped, text)


def visible_json(text: str) -> str:
    r"""Return JSON, or TOML, of the same value with escapes such as \u009b for what a terminal acts on."""
    return text if text.isprintable() else _ACTED_ON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def named_path(text: str) -> str:
    """Return the path that a text names: the text itself, or the existing path with this printable form."""
    if os.path.lexists(text):
        return text
    path = _ESCAPE.sub(lambda match: match[0].encode().decode("unicode_escape"), text)
    try:
        path = os.fsdecode(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # as in in_utf8
        return text
    return path if os.path.lexists(path) else text


def in_utf8(path: str) -> str:
    """Return the path with those names decoded that are UTF-8 and that the locale could not decode."""
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return path


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
