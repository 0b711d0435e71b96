"""The text of a space's file: read, examined and made ready before any of it runs."""

from __future__ import annotations

import ast
import importlib.util
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import SpaceError
from tuner.spaces.actions import Action, Names
from tuner.spaces.notebook import Cell, Selection, definitions
from tuner.spaces.old_names import renewed
from tuner.training.source_code import NOTEBOOK, code_cells
from tuner.units import counted

SUFFIXES = (".py", NOTEBOOK)
# A line of a notebook that is no Python: `!pip install x`, `%matplotlib inline`, `files = !ls`, `Dense?`.
_NO_PYTHON = re.compile(r"^(\s*)(?:([\w, ]+=)?\s*[!%?].*|.*\?\s*)$")
# The rest of a cell that begins so is Python.
_PYTHON_CELLS = {"%%time", "%%timeit", "%%capture", "%%prun"}
MAX_NAMED = 8
"""Number of left-out lines that a note names."""


@dataclass(frozen=True)
class Source:
    """A file that is ready to run."""

    cells: tuple[Cell, ...]
    notes: tuple[str, ...]
    """Sentences about lines that are left out, and names that are read as others."""

    @property
    def text(self) -> str:
        return "\n".join(ast.unparse(cell.tree) for cell in self.cells)


def is_file(target: str) -> bool:
    """True for a reference to a Python file or a notebook."""
    return target.endswith(SUFFIXES)


def read_source(path: Path, name: str = "", contents: bytes | None = None) -> Source:
    """Read a file and see that an import of it defines a space and does nothing else.

    Args:
        name: The function, class or instance that is wanted; "" for the only one.
        contents: Those of the file; None: as they are on the disk.

    Raises:
        SpaceError: the file cannot be read, has a syntax error, or would read data, train or ask something
            when it is imported; of a notebook, if the space needs the result of such a line.
    """
    cells, left_out = _cells(path, contents)
    notes = [note for cell in cells for note in renewed(cell.tree, cell.label)]
    if path.suffix == NOTEBOOK:
        selection = definitions(cells, name, path.parent)
    else:
        selection = _without_notebook_calls(cells)
        _refuse_actions(path, selection.cells)
    left_out = [line for line in (*left_out, *selection.left_out) if line]
    return Source(tuple(selection.cells), (*_left_out_note(path, left_out), *notes))


def read_tree(path: Path) -> list[ast.stmt]:
    """Return the statements at the top of a file; none where it cannot be read."""
    try:
        return [statement for cell in _cells(path)[0] for statement in cell.tree.body]
    except SpaceError:  # importing it will say why, where that matters
        return []


def _cells(path: Path, contents: bytes | None = None) -> tuple[list[Cell], list[str]]:
    """Return the parts of a file as Python, and its lines that are none, with their places."""
    try:
        contents = path.read_bytes() if contents is None else contents
        notebook = path.suffix == NOTEBOOK
        texts = code_cells(contents) if notebook else [importlib.util.decode_source(contents)]
    except OSError as error:
        raise SpaceError(f"cannot read '{path}': {error.strerror}.") from None
    except (ValueError, SyntaxError, KeyError, TypeError, AttributeError):
        kind = "a notebook" if path.suffix == NOTEBOOK else "Python source text"
        raise SpaceError(f"'{path}' is not {kind}. Give a file that Python or Jupyter can open.") from None
    cells: list[Cell] = []
    left_out: list[str] = []
    for number, text in enumerate(texts, 1):
        cell, lines = _cell(f"{path.name}, cell {number}" if notebook else path.name, text)
        cells.append(cell)
        left_out += lines
    return cells, left_out


def _cell(label: str, text: str) -> tuple[Cell, list[str]]:
    lines = text.split("\n")  # as Python counts them
    left_out: list[str] = []
    first = next((line.split()[0] for line in lines if line.strip()), "")
    if first.startswith("%%") and first not in _PYTHON_CELLS:
        return Cell(label, "", ast.Module([], [])), [f"{label} ({first})"]
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python says it again where the file is compiled
                tree = ast.parse("\n".join(lines), label)
                compile(tree, label, "exec", dont_inherit=True)  # finds more errors
            return Cell(label, "\n".join(lines), tree), left_out
        except ValueError as error:
            raise SpaceError(f"'{label}': {error}. Correct it.") from None
        except SyntaxError as error:
            number = (error.lineno or 1) - 1
            found = _NO_PYTHON.match(lines[number]) if number < len(lines) else None
            if found is None:
                text = lines[number].strip() if number < len(lines) else ""
                raise SpaceError(f"'{label}', line {number + 1}: {error.msg}: {text}") from None
            left_out.append(f"{label}, line {number + 1} ({lines[number].strip()})")
            while lines[number].endswith("\\") and number + 1 < len(lines):
                lines[number] = ""
                number += 1
            lines[number] = f"{found[1]}pass"


def _without_notebook_calls(cells: list[Cell]) -> Selection:
    """Leave out the calls that nbconvert makes of shell lines: `get_ipython().system(...)`."""
    left_out: list[str] = []
    for cell in cells:
        for statement in list(cell.tree.body):
            text = ast.unparse(statement)
            if isinstance(statement, ast.Expr) and text.startswith("get_ipython()"):
                cell.tree.body.remove(statement)
                left_out.append(f"{cell.place(statement.lineno)} ({text})")
    return Selection(cells, left_out)


def _refuse_actions(path: Path, cells: list[Cell]) -> None:
    statements = [statement for cell in cells for statement in cell.tree.body]
    names = Names.of(statements)
    found: list[Action] = [action for statement in statements for action in names.actions(statement)]
    if not found:
        return
    first, others = found[0], len({action.line for action in found} - {found[0].line})
    more = f", and so would {counted(others, 'other call')}" if others else ""
    raise SpaceError(
        f"'{path}', line {first.line}: {first.call} would run in every worker{more}. Allowed at the top of a "
        'space: definitions and constants. Put the rest of the script under `if __name__ == "__main__":`.'
    )


def _left_out_note(path: Path, lines: list[str]) -> tuple[str, ...]:
    if not lines:
        return ()
    named = [line.removeprefix(f"{path.name}, ") for line in lines[:MAX_NAMED]]
    more = f" and {len(lines) - MAX_NAMED} more" if len(lines) > MAX_NAMED else ""
    return (
        f"These lines of {path.name} are not run, because a search needs only the definitions: "
        f"{', '.join(named)}{more}.",
    )
