"""Imports go one way (design, section 2), and heavy libraries only come when they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for top in ("tuner", "search_spaces") for path in (ROOT / top).rglob("*.py"))
OF_TUNER = [path for path in MODULES if path.is_relative_to(ROOT / "tuner")]
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "scripts").glob("*.py"))]

BASE = ("errors", "units", "signals", "config", "files")
# What each part of the program may import of the others.
BEFORE = {
    "errors": set(),
    "units": set(),
    "signals": set(),
    "config": {"errors", "units"},
    "files": {"errors"},
    "data": {*BASE},
    "training": {*BASE, "data"},
    "workers": {*BASE, "data", "training"},
    "results": {*BASE, "data", "training"},
    "search": {*BASE, "data", "training", "workers", "results"},
    "evaluation": {*BASE, "data", "training", "workers", "results", "search"},
    "cli": {*BASE, "data", "training", "workers", "results", "search", "evaluation"},
    "__main__": {"cli"},
    "__init__": set(),
}
HEAVY = ("tensorflow", "keras", "keras_tuner", "sklearn", "matplotlib", "pandas", "jax", "torch")
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}
MAX_LINES = 320


def relative(path):
    return str(path.relative_to(ROOT))


def part(path):
    """The part of the program that a module belongs to: errors, config, data, ..."""
    names = path.relative_to(ROOT / "tuner").with_suffix("").parts
    return names[0]


def imported(path):
    """Full names of what a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)} imports relative to itself"
            # `from tuner import config` names a part; `from tuner import __version__` does not.
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def parts_imported(path):
    return {name.split(".")[1] for name in imported(path) if name.startswith("tuner.")} - {"__version__"}


def packages_imported(path):
    return {name.partition(".")[0] for name in imported(path)}


def imported_at_start(path):
    """Top-level packages imported when the module is, not inside its functions or for type checks."""
    nodes = list(ast.parse(path.read_text("utf-8")).body)
    names = set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Try | ast.With | ast.ClassDef):
            nodes += node.body
    return names


def test_every_module_of_tuner_has_a_place_in_the_order():
    assert {part(path) for path in OF_TUNER} <= BEFORE.keys()


def test_the_order_of_parts_has_no_circle():
    for name, before in BEFORE.items():
        assert all(name not in BEFORE[other] for other in before)


def test_imports_go_one_way():
    """A part imports only what comes before it."""
    back = {relative(path): parts_imported(path) - {part(path)} - BEFORE[part(path)] for path in OF_TUNER}
    assert {path: parts for path, parts in back.items() if parts} == {}


def test_search_spaces_never_import_tuner():
    users = [path for path in MODULES if path not in OF_TUNER and "tuner" in packages_imported(path)]
    assert [relative(path) for path in users] == []


def test_backend_specific_code_sits_behind_one_seam():
    users = {relative(path) for path in MODULES if imported_at_start(path) & {"tensorflow", "jax", "torch"}}
    assert users == {
        f"tuner/training/{name}.py" for name in ("kernels_tensorflow", "loop_jax", "loop_tensorflow")
    }


def test_no_file_is_long():
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_the_name_of_a_module_says_what_it_owns():
    vague = [path for path in SOURCES if VAGUE & {path.stem.strip("_"), *path.relative_to(ROOT).parts[:-1]}]
    assert [relative(path) for path in vague] == []


def test_the_command_and_a_search_start_without_heavy_libraries():
    """Workers load them at the same time, and their messages go to the log."""
    imports = "import sys\nimport tuner.cli.main, tuner.cli.session\n"
    code = f"{imports}print(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout == "[]\n"
