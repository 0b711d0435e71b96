import json
import subprocess
import sys
from pathlib import Path

import keras_tuner as kt
import pytest

from benchmarks.comparison import OURS
from benchmarks.side_by_side import CONFIGURATIONS, PEERS, parse
from search_spaces import DataSpec, sequential

ROOT = Path(__file__).parents[2]


def test_what_is_given_beside_short_wins_over_it():
    assert parse(["--short"]).epochs < parse(["--short", "--epochs", "7"]).epochs == 7


@pytest.mark.parametrize("text", ["0", "32,", "x", "-1"])
def test_a_batch_size_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        parse(["--batch-size", text])
    shown = capsys.readouterr().err
    assert all(part in shown for part in ("--batch-size", "1 or more"))


@pytest.mark.parametrize("values", CONFIGURATIONS, ids=lambda values: str(values["filters"]))
def test_every_configuration_lies_in_the_space(values):
    hp = kt.HyperParameters()
    sequential.build(hp, DataSpec((8, 8, 3), 2))
    assert hp.values.keys() == values.keys()
    for parameter in hp.space:
        assert values[parameter.name] in parameter.values


@pytest.mark.slow
@pytest.mark.training
def test_all_sides_train_the_same_trials(tmp_path):
    path = tmp_path / "result.json"
    options = ["--short", "--images", "60", "--json", str(path)]
    command = [sys.executable, "-m", "benchmarks.side_by_side", *options]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert all(name in shown for name in (*PEERS, OURS))
    (found,) = json.loads(path.read_text("utf-8"))["batch_sizes"]
    for name in (*PEERS, OURS):
        (figures,) = found["rounds"][name]
        assert figures["images"] == 2 * 2 * 60
        assert 0 < figures["train_s"] < figures["seconds"]
        assert figures["peak_mib"] > 0
    assert set(found["ratios"]) == set(PEERS)
