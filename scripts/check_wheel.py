"""Install the built wheel into a fresh environment and use it from an empty folder.

Usage: python scripts/check_wheel.py DIST_FOLDER
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tuner", "search_spaces")


def main() -> None:
    (wheel,) = Path(sys.argv[1]).resolve().glob("*.whl")
    check_contents(wheel)
    with tempfile.TemporaryDirectory() as folder:
        environment, empty = Path(folder, "venv"), Path(folder, "empty")
        empty.mkdir()
        venv.create(environment, with_pip=True)
        binaries = environment / ("Scripts" if sys.platform == "win32" else "bin")
        constraints = ["--constraint", str(ROOT / "constraints.txt")]
        quiet = ["--quiet", "--disable-pip-version-check"]
        run([binaries / "python", "-m", "pip", "install", *quiet, *constraints, wheel], empty)
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


def run(command: list[object], folder: Path) -> None:
    words = [str(word) for word in command]
    print("$", Path(words[0]).name, *words[1:], flush=True)
    subprocess.run(words, cwd=folder, check=True)


if __name__ == "__main__":
    main()
