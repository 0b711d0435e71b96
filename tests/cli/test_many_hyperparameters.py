"""A space of 200 hyperparameters: a terminal shows some of those that differ, and where all are."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Result, Run, run_command
from tests.pools import stub_pool

COUNT, SAME = 200, 60
SPACE = f"""
import keras

def build(hp, spec):
    for number in range({SAME}):
        hp.Fixed(f"fixed_{{number}}", number)
    values = [hp.Int(f"varied_{{number}}", 1, 9) for number in range({COUNT - SAME})]
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(sum(values))]
    output = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input(spec.image_shape), *layers, output])
    model.compile("sgd", loss="binary_crossentropy", metrics=["accuracy"])
    return model
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, images: Path, cache: Path) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("many")
    (folder / "space.py").write_text(SPACE, "utf-8")
    request = ("--algorithm", "random", "--max-epochs", 1, "--max-trials", 5, "--name", "first")
    result = run_command(
        *("search", "--space", "space.py", "--data", images, *request),
        cwd=folder,
        cache=cache,
        pool=stub_pool(lambda _, epoch: epoch / 100),
    )
    assert result.code == 0, result.stderr
    return folder, result


def test_a_search_of_many_hyperparameters_stays_readable(searched: tuple[Path, Result]) -> None:
    result = searched[1]
    assert max(map(len, result.stderr.splitlines())) < 600
    assert len(result.stdout) < 6_000
    assert "200 hyperparameters" in result.stderr  # in the head
    assert "results/first/trials.csv" in result.stdout


@pytest.mark.parametrize(
    ("command", "where"),
    [("leaderboard", "trials.csv"), ("best", "--format json"), ("importance", "--format csv")],
)
def test_a_table_shows_those_that_differ_and_where_all_are(
    tuner: Run, searched: tuple[Path, Result], command: str, where: str
) -> None:
    lines = tuner(command, cwd=searched[0]).stdout
    assert len(lines) < 8_000
    assert "varied_0" in lines
    assert "varied_130" not in lines
    assert where in lines


def test_data_for_programs_are_whole(tuner: Run, searched: tuple[Path, Result]) -> None:
    table = tuner("leaderboard", "--format", "csv", cwd=searched[0]).stdout
    header = next(csv.reader(io.StringIO(table)))
    assert sum(name.startswith("hp.") for name in header) == COUNT
    assert (
        len(json.loads(tuner("best", "--format", "json", cwd=searched[0]).stdout)["hyperparameters"]) == COUNT
    )
