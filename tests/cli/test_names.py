"""Names of files and folders that are not UTF-8, and terminals that are not."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.cli.conftest import Run, command, environment
from tuner.config import read_toml
from tuner.data.dataset import load_dataset

SMALL = (
    *("--space", "sequential", "--max-trials", 1, "--max-epochs", 1, "--batch-size", 8, "--name", "first"),
    *("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100", "--quiet"),
)
SHOWN = r"caf\udce9"


def write_classes(folder: Path, names: tuple[str, ...], suffix: str) -> Path:
    rng = np.random.default_rng(0)
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.normal(90 + 80 * label, 20, (8, 8, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}{suffix}.png")
    return folder


@pytest.fixture
def latin_1(tmp_path: Path) -> Path:
    return write_classes(
        tmp_path / os.fsdecode(b"s\xe4t"), (os.fsdecode(b"caf\xe9"), "tea"), os.fsdecode(b"\xe4")
    )


def test_data_show_prints_names_that_are_not_utf8(tuner: Run, latin_1: Path) -> None:
    for form in ("table", "json", "csv"):
        done = tuner("data", "show", latin_1, "--format", form)
        assert done.code == 0, done.stderr
        assert "caf" in done.stdout
        done.stdout.encode("utf-8")


@pytest.mark.training
def test_a_search_on_names_that_are_not_utf8_ends_with_files_and_predictions(
    tuner: Run, latin_1: Path, tmp_path: Path
) -> None:
    done = tuner("search", "--data", latin_1, *SMALL)
    assert done.code == 0, done.stderr
    run = tmp_path / "results/first"
    predictions = pd.read_csv(run / "best/predictions.csv")
    assert predictions["path"].str.endswith(r"\udce4.png").all()
    assert SHOWN in set(predictions["label"])
    assert tuner("report", "first").code == 0
    assert SHOWN in (run / "report.html").read_text("utf-8")
    facts = json.loads((run / "run.json").read_text("utf-8"))
    for source in (read_toml(run / "config.toml")["data"], facts["data"]["source"]):
        assert len(load_dataset(source).labels) == 60
    predicted = tuner("predict", run / "best/model.keras", latin_1, "--format", "csv")
    assert predicted.code == 0, predicted.stderr
    assert predicted.stdout.count("\udce4.png") == 60


@pytest.mark.process
def test_a_search_in_an_ascii_locale_shows_and_keeps_all_names(tmp_path: Path, cache: Path) -> None:
    write_classes(tmp_path / "dätä", ("café", "犬"), "ü")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    for arguments in (("data", "show", "dätä", "--format", "json"), ("search", "--data", "dätä", *SMALL)):
        done = subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=environment(cache) | ascii_only,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert rb"caf\u00e9" in done.stdout
        if arguments[0] == "data":
            assert json.loads(done.stdout)["class_names"] == ["café", "犬"]
    facts = json.loads((tmp_path / "results/first/run.json").read_text("utf-8"))
    assert facts["status"] == "completed"
    assert set(pd.read_csv(tmp_path / "results/first/best/predictions.csv")["label"]) == {"café", "犬"}
