"""Names of image files with any bytes: data keep them, and a table shows them."""

import csv
import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run, command, environment
from tests.cli.test_predict import save_model

pytestmark = pytest.mark.training

# A tab, the ends of lines, a byte that is not UTF-8, the start of a formula.
ODD_NAMES = (b"a\tb.png", b"a\nb\rc.png", b"caf\xe9.png", b"=1.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.keras."""
    found = tmp_path_factory.mktemp("models")
    save_model(found / "model.keras")
    return found


@pytest.fixture
def odd(images: Path, tmp_path: Path) -> Path:
    """A folder with images of such names."""
    for name in ODD_NAMES:
        (tmp_path / "odd" / os.fsdecode(name)).parent.mkdir(exist_ok=True)
        shutil.copy(images / "test/FAKE/000.png", tmp_path / "odd" / os.fsdecode(name))
    return tmp_path / "odd"


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_programs_get_the_names_of_files_as_they_are(tuner: Run, folder: Path, odd: Path, form: str) -> None:
    printed = tuner("predict", folder / "model.keras", odd, "--format", form).stdout
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(printed, newline="")))
    else:
        rows = json.loads(printed) if form == "json" else [json.loads(line) for line in printed.splitlines()]
    names = [Path(row["path"]).name for row in rows]
    assert sorted(map(os.fsencode, names)) == sorted(ODD_NAMES)


def test_a_table_for_people_has_a_line_for_each_name(tuner: Run, folder: Path, odd: Path) -> None:
    lines = tuner("predict", folder / "model.keras", odd).stdout.splitlines()
    assert len(lines) == 1 + len(ODD_NAMES)
    for shown in (r"a\tb.png", r"a\nb\rc.png", r"caf\udce9.png"):
        assert any(f"/{shown} " in line for line in lines)


@pytest.mark.process
def test_a_pipe_gets_the_bytes_of_a_name(odd: Path, folder: Path, cache: Path) -> None:
    arguments = ("predict", folder / "model.keras", odd, "--format", "csv")
    printed = subprocess.run(
        command(*arguments), check=True, capture_output=True, env=environment(cache)
    ).stdout
    assert b"/caf\xe9.png," in printed
