"""Paths as text that can be printed and stored, and back."""

from __future__ import annotations

import os
import re

# Control characters, line separators and the surrogates that stand for bytes that are not UTF-8: none of them
# can be printed on one line or written to a UTF-8 file.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})")


def printable(path: str) -> str:
    r"""Return the path with escapes such as \n or \udc80 for characters that do not fit on one line.

    In any locale, names in UTF-8 are shown as they are.
    """
    return path if path.isprintable() else _UNPRINTABLE.sub(_escaped, _in_utf8(path))


def named_path(text: str) -> str:
    """Return the path that a text names: the text itself, or the existing path with this printable form."""
    if os.path.lexists(text):
        return text
    path = _ESCAPE.sub(lambda match: match[0].encode().decode("unicode_escape"), text)
    try:
        path = os.fsdecode(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # as in _in_utf8
        return text
    return path if os.path.lexists(path) else text


def _in_utf8(path: str) -> str:
    """Decode the bytes of names that the locale could not."""
    try:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return path


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
