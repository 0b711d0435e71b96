"""Install the built wheel into an environment of its declared dependencies only; use it from an empty folder.

Usage: python scripts/check_wheel.py DIST_FOLDER

The dependencies are links to the libraries of the Python that runs this: copies of them need gigabytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tuner", "search_spaces")


def main() -> None:
    (wheel,) = Path(sys.argv[1]).resolve().glob("*.whl")
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as folder:
        environment, empty = Path(folder, "venv"), Path(folder, "empty")
        empty.mkdir()
        # pip stays outside: setuptools, which comes with it in Python 3.11, is a library too.
        venv.create(environment, symlinks=True)
        places = {"base": str(environment), "platbase": str(environment)}
        libraries = Path(sysconfig.get_path("purelib", "venv", places))
        binaries = Path(sysconfig.get_path("scripts", "venv", places))
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", environment]
        run([*pip, "install", "--no-deps", "--no-index", wheel], empty)
        (installed,) = distributions(path=[str(libraries)])
        link_dependencies(installed, libraries)
        run([binaries / "tuner", "spaces", "list"], empty)
        run([binaries / "tuner", "search", "--max-trials", "2", "--max-epochs", "1"], empty)
        run([binaries / "tuner", "best", "--export", "model.keras"], empty)
    print("wheel: complete, and works from an empty folder")


def check_contents(wheel: Path) -> None:
    """Compare the wheel with what git tracks: a build that drops a package still reports success."""
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected = set(listed.stdout.split())
    found = {name for name in zipfile.ZipFile(wheel).namelist() if name.split("/")[0] in PACKAGES}
    if expected != found:
        sys.exit(f"wheel: missing {sorted(expected - found)}, not in git {sorted(found - expected)}")


def link_dependencies(wheel: Distribution, libraries: Path) -> None:
    """Link what the wheel declares, directly or through a dependency, and nothing else."""
    available: dict[str, Distribution] = {}
    for distribution in distributions():
        available.setdefault(canonicalize_name(distribution.name), distribution)
    needed = declared(wheel, available)
    undeclared = {path.parts[0] for name in available.keys() - needed for path in available[name].files or ()}
    for name in sorted(needed):
        if not available[name].files:
            sys.exit(f"wheel: {name} has no list of its files, so that nothing of it can be linked")
        for path in available[name].files or ():
            # Programs of a dependency lie outside, and a folder of bytecode belongs to many.
            if path.parts[0] in ("..", "__pycache__"):
                continue
            # A folder that an undeclared distribution shares, such as `google`, is linked file by file.
            link = libraries / (path if path.parts[0] in undeclared else path.parts[0])
            if not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(Path(str(available[name].locate_file(link.relative_to(libraries)))))


def declared(wheel: Distribution, available: Mapping[str, Distribution]) -> set[str]:
    """Return the names of all dependencies: the wheel's without extras, others' with the extras asked for."""
    seen: set[tuple[str, str]] = set()
    pending = [(wheel, "")]
    while pending:
        distribution, extra = pending.pop()
        for requirement in map(Requirement, distribution.requires or ()):
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(requirement.name)
            if name not in available:
                sys.exit(f"wheel: {name}, which {distribution.name} requires, is not installed")
            if not requirement.specifier.contains(available[name].version, prereleases=True):
                sys.exit(f"wheel: {distribution.name} requires {requirement}, not {available[name].version}")
            new = {(name, wanted) for wanted in ("", *requirement.extras)} - seen
            seen |= new
            pending += [(available[name], wanted) for _, wanted in new]
    return {name for name, _ in seen}


def run(command: list[object], folder: Path) -> None:
    words = [str(word) for word in command]
    print("$", Path(words[0]).name, *words[1:], flush=True)
    # PYTHONPATH would bring in more than the environment has.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(words, cwd=folder, check=True, env=variables)


if __name__ == "__main__":
    main()
