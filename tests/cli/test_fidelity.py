"""Cheaper ways to train: on parts of the data, in another arithmetic."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Finished, Run

pytestmark = pytest.mark.training

SMALL = ("--hp", "filters=20", "--hp", "units_1=100", "--hp", "units_2=100")


def test_a_search_on_parts_of_the_data_promotes_to_more_of_it(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    result = tuner(
        *("search", "--data", images, "--space", "sequential", "--name", "parts"),
        *("--fidelity", "data", "--max-trials", 3, "--max-epochs", 3, "--patience", 1, *SMALL),
        # Its loss falls with each epoch, so that none ends early.
        *("--objective", "val_loss", "--hp", "optimizer=sgd", "--hp", "learning_rate=0.001"),
        *("--hp", "kernel_size=2|3|4"),
    )
    assert result.code == 0, result.stderr
    assert "3 trials to epoch 3 on 33% of the data, best 1 to 5" in result.stderr
    store = sqlite3.connect(tmp_path / "results" / "parts" / "run.sqlite")
    rows = store.execute("SELECT trial_id, epoch, images FROM costs ORDER BY trial_id, epoch").fetchall()
    store.close()
    whole = max(seen for _, _, seen in rows)
    promoted = [(epoch, seen) for trial_id, epoch, seen in rows if rows.count((trial_id, 5, whole))]
    assert promoted[3:] == [(4, whole), (5, whole)]
    assert [epoch for epoch, _ in promoted[:3]] == [1, 2, 3]
    assert all(seen == pytest.approx(whole / 3, abs=2) for _, seen in promoted[:3])


def test_brackets_alike_share_a_line_of_the_plan(tuner: Run, images: Path) -> None:
    result = tuner("search", "--data", images, "--max-trials", 50, "--fidelity", "epochs", "--dry-run")
    assert result.code == 0, result.stderr
    lines = result.stderr.splitlines()
    assert " 1-3   9 trials each to epoch 1, best 3 to 3, best 1 to 10" in lines
    assert " 4     15 trials to epoch 1, best 5 to 3, best 1 to 10" in lines


def test_parts_of_the_data_go_with_rungs_alone(tuner: Run, images: Path) -> None:
    result = tuner("search", "--data", images, "--algorithm", "random", "--fidelity", "data")
    assert result.code == 2
    (line,) = result.error_lines
    for part in ("--fidelity data", "hyperband or asha", "'random'"):
        assert part in line


@pytest.mark.parametrize("options", [("--precision", "mixed_bfloat16"), ("--xla", "on")], ids=lambda o: o[0])
def test_another_arithmetic_can_be_asked_for(
    tuner: Run, images: Path, tmp_path: Path, options: tuple[str, str]
) -> None:
    if options[0] == "--xla" and os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        pytest.skip("XLA is a choice with TensorFlow only")
    request = ("--max-trials", 1, "--max-epochs", 2, *SMALL, "--name", "it")
    result = tuner("search", "--data", images, *request, *options)
    assert result.code == 0, result.stderr
    facts = json.loads((tmp_path / "results" / "it" / "run.json").read_text("utf-8"))
    name, value = options[0].removeprefix("--"), options[1]
    assert facts["compute"][name] == (True if value == "on" else value)


def test_a_small_data_set_gets_the_short_plan_and_the_run_records_it(finished: Finished) -> None:
    assert "on 33% of the data" in finished.result.stderr
    facts = json.loads((finished.run / "run.json").read_text("utf-8"))
    assert facts["config"]["fidelity"] == "part"
    store = sqlite3.connect(finished.run / "run.sqlite")
    rows = store.execute("SELECT epoch, images FROM costs").fetchall()
    store.close()
    whole = sum(facts["data"]["counts"]["train"].values())
    assert {seen for epoch, seen in rows if epoch == 1} == {whole // 3}
    assert {seen for epoch, seen in rows if epoch > 1} == {whole}
