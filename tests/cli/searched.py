"""A small search that is over, to make something of afterwards."""

import subprocess
from pathlib import Path

from tests.cli.conftest import command, environment, write_images

RUN = Path("results/first")


def search(folder: Path, cache: Path, *more: object) -> Path:
    """Search three configurations in a folder, and return it: it holds results/first and images/."""
    write_images(folder / "images")
    chosen = ("--hp", "filters=20", "--hp", "units_1=100|200|300", "--hp", "units_2=100")
    small = ("--data", "images", "--algorithm", "random", "--max-trials", 3, "--max-epochs", 6, "--quiet")
    subprocess.run(
        command("search", "--space", "sequential", "--name", "first", *small, *chosen, *more),
        cwd=folder,
        env=environment(cache),
        capture_output=True,
        check=True,
    )
    return folder
