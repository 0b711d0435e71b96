"""Imports go one way (design, section 2), and heavy libraries only come when they are needed."""

import ast
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for top in ("tuner", "search_spaces") for path in (ROOT / top).rglob("*.py"))
OF_TUNER = [path for path in MODULES if path.is_relative_to(ROOT / "tuner")]
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "scripts").glob("*.py"))]

# Lowest first. A part of the program imports only from floors below its own.
FLOORS = (
    {"errors"},
    {"home_folder"},
    {"units", "files", "path_names", "cache_folder", "state_folder", "objective", "credentials"},
    {"option_fields"},
    {"data_options"},
    {"config", "sources", "statistics"},
    {"data"},
    {"training"},
    {"spaces", "results", "workers"},
    {"tuning"},
    {"models", "analysis"},
    {"evaluation"},
    {"report"},
    {"__init__", "cli"},
    {"__main__"},
)
LARGEST_SHARE = 1 / 6
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


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_imported(path, names):
    """Modules of tuner that a module imports: `from a.b import c` means a.b.c where that is one."""
    found = {name if name in names else name.rpartition(".")[0] for name in imported(path)}
    return found & names.keys() - {module_name(path)}


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


def test_every_module_of_tuner_is_on_a_floor():
    assert {part(path) for path in OF_TUNER} == set().union(*FLOORS)


def test_a_part_imports_only_from_floors_below_its_own():
    floors = {name: number for number, names in enumerate(FLOORS) for name in names}
    upwards = {
        relative(path): sorted(
            name for name in parts_imported(path) - {part(path)} if floors[name] >= floors[part(path)]
        )
        for path in OF_TUNER
    }
    assert {path: parts for path, parts in upwards.items() if parts} == {}


def test_no_module_imports_itself_through_others():
    names = {module_name(path): path for path in OF_TUNER}
    imports = {name: modules_imported(path, names) for name, path in names.items()}
    order = TopologicalSorter(imports)
    order.prepare()  # raises CycleError with the modules of a circle


def test_no_package_holds_more_than_a_sixth_of_the_lines():
    lines = Counter()
    for path in OF_TUNER:
        lines[part(path)] += len(path.read_text("utf-8").splitlines())
    limit = LARGEST_SHARE * lines.total()
    assert {name: count for name, count in lines.items() if count > limit} == {}


def test_every_package_says_in_one_sentence_what_it_is_for():
    packages = [path for path in OF_TUNER if path.name == "__init__.py"]
    texts = {relative(path): ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "" for path in packages}
    assert [path for path, text in texts.items() if not text.partition("\n")[0].endswith(".")] == []


def test_search_spaces_never_import_tuner():
    users = [path for path in MODULES if path not in OF_TUNER and "tuner" in packages_imported(path)]
    assert [relative(path) for path in users] == []


def test_backend_specific_code_sits_behind_one_seam():
    users = {relative(path) for path in MODULES if imported_at_start(path) & {"tensorflow", "jax", "torch"}}
    assert users == {
        f"tuner/training/{name}.py" for name in ("kernels_tensorflow", "loop_jax", "loop_tensorflow")
    }


def test_code_that_a_run_names_has_one_gate():
    """Who makes models from a reference is known, and takes that of a run only behind the gate."""
    sources = {relative(path): path.read_text("utf-8") for path in OF_TUNER}
    makers = {
        path
        for path, text in sources.items()
        if re.search(r"\b(SpaceHyperModel|SearchSpace)\((?!Space)", text)
    }
    assert makers - {"tuner/spaces/search_space.py"} == {
        "tuner/cli/spaces.py",  # a reference that the user types
        "tuner/models/rebuilding.py",
        "tuner/tuning/workers.py",
    }
    assert {path for path, text in sources.items() if re.search(r"\bTrustedRun\(", text)} == {
        "tuner/tuning/trusted_run.py"
    }
    behind = ("models/rebuilding.py", "tuning/workers.py", "tuning/session.py")
    assert all("run: TrustedRun" in sources[f"tuner/{path}"] for path in behind)


def test_no_file_is_long():
    lengths = {relative(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_the_name_of_a_module_says_what_it_owns():
    vague = [path for path in SOURCES if VAGUE & {path.stem.strip("_"), *path.relative_to(ROOT).parts[:-1]}]
    assert [relative(path) for path in vague] == []


def test_help_imports_neither_pandas_nor_keras():
    command = [sys.executable, "-X", "importtime", "-m", "tuner", "--help"]
    timed = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in timed.splitlines()}
    assert "tuner" in loaded
    assert loaded & set(HEAVY) == set()


def test_the_command_and_a_search_start_without_heavy_libraries():
    """Workers load them at the same time, and their messages go to the log."""
    imports = "import sys\nimport tuner.cli.main, tuner.cli.search_commands\n"
    code = f"{imports}print(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout == "[]\n"
