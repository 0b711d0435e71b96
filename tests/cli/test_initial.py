"""Configurations that the user brings along."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run, run_command
from tests.pools import stub_pool

pytestmark = pytest.mark.training


def test_the_users_own_configuration_is_tried_first(images: Path, cache: Path, tmp_path: Path) -> None:
    pool = stub_pool(lambda _, epoch: epoch / 10)
    stub = partial(run_command, cwd=tmp_path, cache=cache, pool=pool)
    mine = ("--include", "filters=40,units_1=200", "--max-trials", 1, "--max-epochs", 1, "--quiet")
    result = stub("search", "--data", images, *mine, "--name", "mine")
    assert result.code == 0, result.stderr
    mine_csv = tmp_path / "results" / "mine" / "trials.csv"
    trials = pd.read_csv(mine_csv)
    assert (trials["hp.filters"].tolist(), trials["hp.units_1"].tolist()) == ([40], [200])
    again = ("--warm-start", mine_csv, "--algorithm", "tpe", "--max-trials", 2, "--max-epochs", 1, "--quiet")
    result = stub("search", "--data", images, *again, "--name", "again")
    assert result.code == 0, result.stderr
    trials = pd.read_csv(tmp_path / "results" / "again" / "trials.csv")
    assert trials["hp.filters"].tolist()[0] == 40
    assert len(trials) == 2


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--include", "filtres=40"), "'filters'"),
        (("--include", "filters=41"), "41"),
        (("--warm-start", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_a_configuration_that_cannot_be_tried_is_refused_before_anything_starts(
    tuner: Run, images: Path, tmp_path: Path, option: tuple[str, str], says: str
) -> None:
    result = tuner("search", "--data", images, *option)
    assert result.code == 2
    assert says in result.stderr
    assert not list(tmp_path.glob("results/*"))
