"""Import of a space's file or module, after a look at its text."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import linecache
import sys
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from tuner.errors import SpaceError
from tuner.spaces.source import Source, read_source
from tuner.training.source_code import is_installed


class _Loader(Loader):
    """Runs the statements of a source; those of a notebook have their cell for a file in tracebacks.

    No compiled file beside the source is read or written.

    Args:
        carried: Contents of the file where it is not on this machine.
    """

    def __init__(self, path: Path, source: Source, carried: bytes | None = None) -> None:
        self._path, self._source, self.carried = path, source, carried

    def exec_module(self, module: ModuleType) -> None:
        for cell in self._source.cells:
            file = str(self._path.with_name(cell.label))
            # For tracebacks, and for functions that TensorFlow reads again.
            if cell.label != self._path.name or self.carried is not None:
                lines = cell.text.splitlines(keepends=True)
                linecache.cache[file] = (len(cell.text), None, lines, file)
            exec(compile(cell.tree, file, "exec", dont_inherit=True), vars(module))

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 - a method of Python
        return self._source.text


def import_file(
    path: Path, name: str = "", contents: bytes | None = None
) -> tuple[ModuleType, tuple[str, ...]]:
    """Import a Python file or a notebook from wherever it is; it may import its neighbours.

    Args:
        name: The object in it that is wanted; "" for the only one.
        contents: Those of the file. Where they are not on this machine, it has no neighbours, and nothing is
            written: in a folder for all, another user could place a neighbour.

    Returns:
        The module, and sentences about lines that are left out or changed.

    Raises:
        SpaceError: the file cannot be read or does more than define a space.
    """
    source = read_source(path, name, contents)
    if contents is not None and not _holds(path, contents):
        spec = importlib.util.spec_from_loader(
            f"_space_{path.stem}", _Loader(path, source, contents), origin=str(path)
        )
        assert spec is not None
        return _run(spec, path), source.notes
    resolved = path.resolve()
    levels = [
        node.level
        for cell in source.cells
        for node in ast.walk(cell.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    folders = _folders(resolved, max(levels, default=0))
    # A name that no other module can have: the file may be called random.py.
    package = _package(folders) if levels else ""
    module_name = f"{package}.{path.stem}" if package else f"_space_{path.stem}"
    _add_to_path(resolved.parent, folders[-1].parent if folders else resolved.parent)
    spec = importlib.util.spec_from_loader(module_name, _Loader(path, source), origin=str(path))
    assert spec is not None
    return _run(spec, path), source.notes


def add_working_folder() -> None:
    """Let modules be found in the working folder too, and there first, as `python -m` would."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))


def import_module(name: str, attribute: str, reference: str) -> tuple[ModuleType, tuple[str, ...]]:
    """Import a module by its name.

    Returns:
        The module, and sentences about lines of it that are changed.

    Raises:
        SpaceError: there is no such module, or it does more than define a space.
    """
    try:
        by_others = name in sys.modules and not isinstance(sys.modules[name].__loader__, _Loader)
        spec = None if by_others else importlib.util.find_spec(name)
        path = Path(spec.origin) if spec and spec.has_location and spec.origin else None
        if spec is None or path is None or path.suffix != ".py" or is_installed(path.parent):
            return importlib.import_module(name), ()
    except ModuleNotFoundError as error:
        if error.name and name != error.name and not name.startswith(f"{error.name}."):
            raise  # the module exists; something it imports does not
        raise SpaceError(
            f"no module '{name}' for search space '{reference}'. Give a name, a file or MODULE:NAME."
        ) from error
    source = read_source(path, attribute)
    spec.loader = _Loader(path, source)
    return _run(spec, path), source.notes


def _holds(path: Path, contents: bytes) -> bool:
    """True for a file of this machine with these contents."""
    try:
        return path.read_bytes() == contents
    except OSError:
        return False


def _run(spec: ModuleSpec, path: Path) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[spec.name] = module
    assert spec.loader is not None
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    if spec.parent and spec.parent != spec.name:
        setattr(sys.modules[spec.parent], spec.name.rpartition(".")[2], module)
    return module


def _folders(path: Path, levels: int) -> list[Path]:
    """Return the folders of the package that a file is in, the nearest first: those it needs or declares."""
    folders: list[Path] = []
    for folder in path.parents:
        if len(folders) >= levels and not (folder / "__init__.py").is_file():
            break
        folders.append(folder)
    return folders


def _package(folders: list[Path]) -> str:
    """Make the package of some folders under a name of its own; return the name of the innermost folder."""
    *inner, outermost = folders
    root = f"_space_{outermost.name}"
    for name in [each for each in sys.modules if f"{each}.".startswith(f"{root}.")]:
        del sys.modules[name]  # of a file read before, perhaps from elsewhere
    start = outermost / "__init__.py"
    if start.is_file():
        places = [str(outermost)]
        spec = importlib.util.spec_from_file_location(root, start, submodule_search_locations=places)
        assert spec is not None
        _run(spec, start)
    else:
        spec = ModuleSpec(root, None, is_package=True)
        spec.submodule_search_locations = [str(outermost)]
        sys.modules[root] = importlib.util.module_from_spec(spec)
    package = ".".join([root, *(folder.name for folder in reversed(inner))])
    importlib.import_module(package)
    return package


def _add_to_path(*folders: Path) -> None:
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.insert(0, folder)
