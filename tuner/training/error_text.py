"""The line of an error that says what is wrong, and the place of it in the user's code."""

from __future__ import annotations

import re
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NOT_THE_USERS = {Path(__file__).parents[1], Path(sysconfig.get_path("stdlib"))}
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in ')
# Where TensorFlow runs a graph, its text begins with the stack of the operation.
_GRAPH = "Graph execution error"
_OF_STACK = re.compile(
    rf'{_GRAPH}|Detected at node|File "|<stack traces unavailable>|\[\[\{{\{{node|\d+ root error'
)
_CODE = re.compile(r"^(\(\d+\) )?([A-Z_]+: +)?")
_RAISED = re.compile(r"^[\w.]+(Error|Exception): ")
_ADVICE = re.compile(r" You can attempt the following resolutions.*")
_HINTS = {
    re.compile(r"as a Python `bool`|boolean conversion of traced"): "Use keras.ops.where or keras.ops.cond.",
    re.compile(r"to a numpy array\.|__array__\(\)"): "Use keras.ops, not NumPy or another library.",
    re.compile(
        r"not 'SymbolicTensor'|concrete value is expected"
    ): "Use keras.ops.cast, not int() or float().",
}


def first_line(error: BaseException) -> str:
    """Return the most informative line of an error's text, mostly the first, and a remedy for a few.

    It is another where Keras names a layer first, or TensorFlow quotes code or a stack of calls.
    """
    line = _line(_COLOURS.sub("", str(_original(error))))
    hint = next((hint for pattern, hint in _HINTS.items() if pattern.search(line)), "")
    return f"{_ADVICE.sub('', line).rstrip('.')}. {hint}" if hint else line


def described(error: BaseException) -> str:
    """Return an error as 'TypeError: what is wrong (file.py, line 3)'."""
    return f"{type(_original(error)).__name__}: {first_line(error)}{place(error)}"


def place(error: BaseException) -> str:
    """Return the place of an error in the user's code as ' (file, line n)'; empty outside of it."""
    text = str(error)
    if _GRAPH in text:
        frames = [(file, int(line)) for file, line in _FRAME.findall(text)]
    else:
        found = traceback.extract_tb(_original(error).__traceback__)
        frames = [(frame.filename, frame.lineno or 0) for frame in found]
    users = list(_of_user(frames))
    return f" ({Path(users[-1][0]).name}, line {users[-1][1]})" if users else ""


def _of_user(frames: Iterable[tuple[str, int]]) -> Iterable[tuple[str, int]]:
    return (
        (file, line)
        for file, line in frames
        if not file.startswith("<") and "site-packages" not in file
        if not _NOT_THE_USERS.intersection(Path(file).parents)
    )


def _original(error: BaseException) -> BaseException:
    """Return the error that a library met while it wrote the text of another: the other one."""
    # Keras raises a copy of an error with its layer, and errors of JAX take tracers instead of texts.
    if isinstance(error, AttributeError) and "_error_repr" in str(error) and error.__context__ is not None:
        return error.__context__
    return error


def _line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return "no message"
    if lines[0].startswith(_GRAPH):
        said = [line for line in lines if not _OF_STACK.match(line)]
        return _CODE.sub("", said[0]) if said else lines[0]
    if lines[0].startswith("Exception encountered when calling") and len(lines) > 1:  # Keras names the layer
        return _line("\n".join(lines[1:]))
    if lines[0].startswith("in user code"):
        raised = [number for number, line in enumerate(lines) if _RAISED.match(line)]
        if not raised:
            return lines[-1]
        name, rest = lines[raised[-1]].split(": ", 1)
        rest = "\n".join([rest, *lines[raised[-1] + 1 :]])
        return f"{name}: {_line(rest)}"
    if "could not be deserialized properly" in lines[0]:
        return next((line for line in lines if line.startswith("Exception encountered:")), lines[0])
    return lines[0]
