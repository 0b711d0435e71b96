"""The definitions of a notebook, without the statements that read data, train and show."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tuner.errors import SpaceError
from tuner.spaces.actions import Names
from tuner.spaces.candidates import BUILD, DECLARATIONS, HP_NAMES, TRAINING
from tuner.spaces.code_names import bound_names, read_names


@dataclass(frozen=True)
class Cell:
    """A part of a file: the whole of a Python file, or a cell of a notebook."""

    label: str
    """Name in a traceback: 'space.py' or 'notebook.ipynb, cell 3'."""
    text: str
    tree: ast.Module

    def place(self, line: int) -> str:
        """Return the place of a line as people find it."""
        return f"{self.label}, line {line}"


@dataclass(frozen=True)
class Selection:
    """Cells as they will run, and the lines that will not, with their places."""

    cells: list[Cell]
    left_out: list[str]


@dataclass(frozen=True)
class _Statement:
    """A statement with the names that it binds, that it reads at once, and that it reads at any time."""

    node: ast.stmt
    bound: set[str]
    read_now: set[str]
    read: set[str]

    @classmethod
    def of(cls, node: ast.stmt) -> _Statement:
        code = compile(ast.Module([node], []), "<cell>", "exec")
        bound = bound_names(code)
        match node:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(owner), "adapt"))):
                bound.add(owner)  # a layer that is without its data
        return cls(node, bound, read_names(code, later=False), read_names(code))


def definitions(cells: list[Cell], name: str, folder: Path) -> Selection:
    """Return the cells up to the one that defines the space, without statements that do something.

    Statements that need their results, and imports of packages that are not installed, are left out too.

    Args:
        name: The space; "" for the only one.
        folder: Where the notebook finds modules of its own.

    Raises:
        SpaceError: the space needs a name that a left-out statement binds.
    """
    spaces = [_spaces(cell, name) for cell in cells]
    last = max((number for number, found in enumerate(spaces, 1) if found), default=len(cells))
    cells, wanted = cells[:last], set().union(*spaces)
    names = Names.of([node for cell in cells for node in cell.tree.body])
    lost: dict[str, str] = {}
    kept: dict[str, _Statement] = {}
    selected, left_out = [], []
    for cell in cells:
        body = []
        for statement in map(_Statement.of, cell.tree.body):
            why = _why_left_out(statement, names, lost, folder)
            if why is None:
                body.append(statement.node)
                kept |= dict.fromkeys(statement.bound, statement)
                for bound in statement.bound:
                    lost.pop(bound, None)
            else:
                place = f"{cell.place(statement.node.lineno)} ({why})"
                left_out.append(place)
                lost |= dict.fromkeys(statement.bound, place)
        selected.append(replace(cell, tree=ast.Module(body, [])))
    if not name:
        wanted -= lost.keys()  # an instance made of data; its class is there
    of_others = set().union(*(kept[space].read for space in wanted if space in kept))
    for space in sorted(wanted - of_others or wanted):
        for needed in _needs(space, kept):
            if needed in lost:
                raise SpaceError(
                    f"'{space}' uses '{needed}', but its line is not run: {lost[needed]}. Give '{needed}' "
                    "a value that needs no data, or let build take input_shape and num_classes as arguments."
                )
    return Selection(selected, left_out)


def _why_left_out(statement: _Statement, names: Names, lost: dict[str, str], folder: Path) -> str | None:
    """Return the call or the name for which a statement cannot run here, None for none."""
    node = statement.node
    if isinstance(node, ast.Import | ast.ImportFrom):
        modules = (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
        )
        missing = [module for module in modules if not _is_there(module, folder)]
        return f"{missing[0]} is not installed" if missing else None
    action = next(names.actions(node), None)
    if action is not None:
        return action.call
    if "get_ipython" in statement.read_now:
        return "get_ipython()"
    needed = sorted(statement.read_now & lost.keys())
    return f"needs {needed[0]}" if needed else None


def _is_there(module: str, folder: Path) -> bool:
    first = module.partition(".")[0]
    if not first or (folder / f"{first}.py").is_file() or (folder / first).is_dir():
        return True
    try:
        # Many packages share `google`.
        return importlib.util.find_spec(module if first == "google" else first) is not None
    except (ImportError, ValueError):
        return False


def _spaces(cell: Cell, name: str) -> set[str]:
    """Return the names in a cell that seem to be spaces."""
    if name:
        return {name} & bound_names(compile(cell.tree, "<cell>", "exec"))
    return {
        node.name
        for node in cell.tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and _is_space(node)
    } | {
        target.id
        for node in cell.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name) and _is_hypermodel(node.value.func)
    }


def _is_space(node: ast.FunctionDef | ast.ClassDef, position: int = 0) -> bool:
    if isinstance(node, ast.ClassDef):
        methods = (each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == BUILD)
        return any(map(_is_hypermodel, node.bases)) or any(_is_space(each, 1) for each in methods)
    arguments = [*node.args.posonlyargs, *node.args.args][position:]
    if not arguments or node.name == TRAINING:
        return False
    first = arguments[0]
    if first.arg in HP_NAMES or (first.annotation and "HyperParameters" in ast.unparse(first.annotation)):
        return True
    return any(
        isinstance(each, ast.Attribute)
        and each.attr in DECLARATIONS
        and isinstance(each.value, ast.Name)
        and each.value.id == first.arg
        for each in ast.walk(node)
    )


def _is_hypermodel(node: ast.expr) -> bool:
    """True for a class that is called like a hypermodel: kt.HyperModel, MyHyperModel, HyperResNet."""
    name = getattr(node, "attr", getattr(node, "id", ""))
    return name.endswith("HyperModel") or (
        name.startswith("Hyper") and name not in ("HyperParameters", "Hyperband")
    )


def _needs(name: str, kept: dict[str, _Statement]) -> Iterator[str]:
    """Yield the names that an object reads when it is used, also through others."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            yield current
            waiting += kept[current].read if current in kept else ()
