import csv
import json
import math
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from tests.results.records import record
from tuner.files import replace_text
from tuner.results import tables
from tuner.results.schema import FAILED, TRIAL_COLUMNS, TRIAL_DTYPES, EpochRecord
from tuner.results.tables import (
    plain,
    read_table,
    rows_table,
    trials_table,
    write_epochs,
    write_json,
    write_table,
    write_trials,
)

TRIALS = [
    record(
        values={"units": 32, "optimizer": "adam", "rate": 1e-4},
        score=0.75,
        best_epoch=2,
        epochs=3,
        duration_s=1.5,
        train_s=2.0,
        images=100,
        num_params=1234,
        metrics={"val_accuracy": 0.75, "loss": 0.5, "val_loss": 0.25, "accuracy": 0.5},
    ),
    record("0002", values={"units": 64, "optimizer": "sgd", "rate": 1e-3, "momentum": 0.5}, status=FAILED),
]


def header(path):
    with path.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "trials.csv"
    write_trials(path, TRIALS, "val_accuracy")
    return path


def test_columns_are_the_fixed_ones_then_metrics_then_hyperparameters(path):
    assert header(path) == [
        *TRIAL_COLUMNS,
        *("accuracy", "loss", "val_accuracy", "val_loss"),
        *("hp.units", "hp.optimizer", "hp.rate", "hp.momentum"),
    ]


def test_the_fixed_columns_are_those_that_users_know():
    assert TRIAL_COLUMNS[:6] == ("trial_id", "status", "score", "objective", "best_epoch", "epochs")


def test_a_search_without_trials_still_has_its_columns(tmp_path):
    write_trials(tmp_path / "trials.csv", [], "val_accuracy")
    assert header(tmp_path / "trials.csv") == list(TRIAL_COLUMNS)


def test_pandas_reads_numbers_as_numbers(path):
    kinds = {name: dtype.kind for name, dtype in pd.read_csv(path, dtype={"trial_id": str}).dtypes.items()}
    assert {name for name, kind in kinds.items() if kind == "f"} >= {"score", "duration_s", "hp.rate", "loss"}
    assert {name for name, kind in kinds.items() if kind == "i"} >= {"epochs", "rung", "seed", "hp.units"}


def test_pandas_reads_back_what_was_written(path):
    first, second = pd.read_csv(path, dtype={"trial_id": str}).to_dict("records")
    assert (first["trial_id"], first["status"], first["score"]) == ("0001", "COMPLETED", 0.75)
    assert (first["objective"], first["images_per_s"], first["hp.rate"]) == ("val_accuracy", 50.0, 1e-4)
    assert (second["status"], second["hp.optimizer"]) == (FAILED, "sgd")


def test_what_a_trial_lacks_stays_empty(path):
    first, second = pd.read_csv(path).to_dict("records")
    assert math.isnan(first["hp.momentum"])
    assert math.isnan(second["score"])
    assert math.isnan(second["val_accuracy"])


def test_a_score_of_zero_is_not_left_empty():
    assert trials_table([record(score=0.0)], "val_loss")["score"].tolist() == [0.0]


def test_a_hyperparameter_named_like_a_column_collides_with_nothing():
    frame = trials_table([record(values={"score": 3, "val_loss": 4}, score=0.5)], "val_loss")
    assert frame.loc["0001", ["score", "hp.score", "hp.val_loss"]].tolist() == [0.5, 3, 4]


def test_an_error_of_several_lines_stays_one_cell(tmp_path):
    error = 'build: a "quoted", comma\nand a second line'
    write_trials(tmp_path / "trials.csv", [record(error=error)], "val_loss")
    assert pd.read_csv(tmp_path / "trials.csv")["error"].tolist() == [error]


def test_pandas_reads_back_the_dtypes(path):
    given = trials_table(TRIALS, "val_accuracy").dtypes.astype(str)
    found = pd.read_csv(path, index_col="trial_id", dtype_backend="numpy_nullable").dtypes.astype(str)
    numbers = given[given != "str"].str.lower()
    assert found[numbers.index].str.lower().equals(numbers)


def test_a_table_of_trials_has_the_dtypes_of_its_values():
    values = {"units": 32, "rate": 1.0, "flag": True, "text": "01"}
    table = trials_table([record(values=values), record("0002", values={})], "val_loss")
    found = {name: str(dtype) for name, dtype in table.dtypes.items()}
    assert (
        found.items() >= {name: dtype for name, dtype in TRIAL_DTYPES.items() if name != "trial_id"}.items()
    )
    assert [found[f"hp.{name}"] for name in values] == ["Int64", "float64", "boolean", "str"]
    assert table.loc["0002"].filter(like="hp.").isna().all()


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ((1, None), ["1", ""]),
        ((2**62, 3), [str(2**62), "3"]),
        ((True, None, False), ["True", "", "False"]),
        ((1.0, None), ["1.0", ""]),
        ((1e-05, 0.1 + 0.2), ["1e-05", "0.30000000000000004"]),
        (("01", "1e3", "", None), ["01", "1e3", "", ""]),
        ((1, 2.5, "a", True), ["1", "2.5", "a", "True"]),
    ],
)
def test_values_are_written_as_python_writes_them(tmp_path, values, cells):
    path = tmp_path / "trials.csv"
    trials = [
        record(f"{number:04d}", values={} if value is None else {"x": value})
        for number, value in enumerate(values, start=1)
    ]
    write_trials(path, trials, "val_loss")
    with path.open(newline="", encoding="utf-8") as file:
        assert [row["hp.x"] for row in csv.DictReader(file)] == cells


def test_plain_values_are_of_pythons_own_types():
    table = trials_table([*TRIALS, record("0003", values={"flag": True})], "val_accuracy").reset_index()
    rows = plain(table).to_dict("records")
    assert {type(value) for row in rows for value in row.values()} == {str, int, float, bool, type(None)}
    assert json.loads(json.dumps(rows)) == rows


def test_rows_keep_their_values():
    rows = [{"a": 1, "b": None}, {"a": 2.5, "c": True}]
    table = plain(rows_table(rows, ["a", "b", "c"]))
    assert table.to_dict("records") == [{"a": 1, "b": None, "c": None}, {"a": 2.5, "b": None, "c": True}]
    assert type(table["a"][0]) is int


def test_a_table_is_read_as_text(tmp_path):
    write_table(tmp_path / "t.csv", rows_table([{"a": "01", "b": None}, {"a": 2, "b": "NA"}]))
    table = read_table(tmp_path / "t.csv", "another")
    assert table.to_dict("split") == {
        "index": [2, 3],
        "columns": ["a", "b"],
        "data": [["01", ""], ["2", "NA"]],
    }


def test_of_two_columns_with_one_name_the_last_is_read(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")
    assert read_table(tmp_path / "t.csv", "another").to_dict("records") == [{"b": "2", "a": "3"}]


@pytest.mark.parametrize("rows_at_once", [1, 50_000])
def test_epochs_are_one_row_a_metric(tmp_path, monkeypatch, rows_at_once):
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", rows_at_once)
    epochs = [EpochRecord("0001", 0, 1, "loss", 0.5), EpochRecord("0001", 1, 2, "loss", None)]
    write_epochs(tmp_path / "epochs.csv", epochs)
    assert (tmp_path / "epochs.csv").read_text() == (
        "trial_id,rung,epoch,metric,value\n0001,0,1,loss,0.5\n0001,1,2,loss,\n"
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_json_refuses_what_is_no_json(tmp_path, value):
    """Keras Tuner writes Infinity, which no other reader takes."""
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "run.json", {"loss": value})


def test_a_refused_value_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "run.json", {"loss": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "run.json", {"loss": math.nan})
    assert json.loads((tmp_path / "run.json").read_text()) == {"loss": 1}


def test_json_keeps_letters_readable(tmp_path):
    write_json(tmp_path / "run.json", {"name": "Å"})
    assert "Å" in (tmp_path / "run.json").read_text("utf-8")


def test_nothing_but_the_file_is_left_behind(path):
    assert [file.name for file in path.parent.iterdir()] == ["trials.csv"]


def test_a_folder_that_is_missing_is_made(tmp_path):
    replace_text(tmp_path / "errors" / "0001.txt", "text")
    assert (tmp_path / "errors" / "0001.txt").read_text() == "text"


def test_several_may_write_the_same_file_at_once(tmp_path):
    texts = [f"{number}\n" * 1000 for number in range(8)]
    with ThreadPoolExecutor(8) as writers:
        list(writers.map(lambda text: replace_text(tmp_path / "same.txt", text), texts * 50))
    assert (tmp_path / "same.txt").read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["same.txt"]


@pytest.mark.faults
def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    """Keras Tuner opens the file and then writes: killed in between, the project cannot be loaded."""
    path = tmp_path / "trials.csv"
    code = (
        "import itertools, sys\nfrom pathlib import Path\nfrom tuner.files import replace_text\n"
        "for n in itertools.count():\n    replace_text(Path(sys.argv[1]), f'{n}\\n' * 200_000)\n"
    )
    for attempt in range(5):
        path.unlink(missing_ok=True)
        writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
        while not path.exists():
            assert writer.poll() is None
        time.sleep(0.01 + 0.007 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        lines = path.read_text().splitlines()
        assert (len(lines), len(set(lines))) == (200_000, 1)


def test_json_of_a_matrix_has_a_line_for_each_row_and_is_read_back_as_it_was(tmp_path):
    value = {"matrix": [[1, 2], [3, 4]], "no": [], "none": {}, "é": None, "of": [{"a": (1.5, True)}], 3: "x"}
    write_json(tmp_path / "v.json", value)
    text = (tmp_path / "v.json").read_text("utf-8")
    assert "    [1, 2],\n    [3, 4]\n" in text
    assert json.loads(text) == json.loads(json.dumps(value))


def test_json_of_a_number_that_is_not_finite_is_refused(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "v.json", {"a": [float("nan")]})
