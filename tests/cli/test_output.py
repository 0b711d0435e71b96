"""Tables on stdout: laid out for people, whole and exact for programs."""

import io
import json
import sys

import pandas as pd
import pytest

from tuner.cli.data import show_data
from tuner.cli.output import show
from tuner.errors import UsageError
from tuner.results.tables import parquet, rows_table

ROWS = [
    {"name": "[ai]", "share": 0.1 + 0.2, "count": 12345, "flag": True},
    {"name": 'a, "b"', "share": None, "count": None, "flag": False},
]


@pytest.fixture
def printed(capsys):
    def run(frame, form, sparse=False):
        show(frame, form, sparse)
        return capsys.readouterr().out

    return run


def test_a_table_has_aligned_numbers_and_nothing_for_what_is_missing(printed):
    lines = [line.rstrip() for line in printed(rows_table(ROWS), "table").splitlines()]
    assert lines == [
        "name    share   count   flag",
        "[ai]      0.3  12,345   True",
        'a, "b"                 False',
    ]


def test_json_has_null_for_what_is_missing(printed):
    assert json.loads(printed(rows_table(ROWS), "json")) == ROWS


def test_sparse_json_lacks_the_keys_of_what_is_missing(printed):
    second = {"name": 'a, "b"', "flag": False}
    assert json.loads(printed(rows_table(ROWS), "json", sparse=True)) == [ROWS[0], second]


def test_csv_has_every_digit(printed):
    assert printed(rows_table(ROWS), "csv") == (
        'name,share,count,flag\n[ai],0.30000000000000004,12345,True\n"a, ""b""",,,False\n'
    )


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_typed_columns_are_printed_as_their_values(printed, form):
    typed = {"name": "str", "share": "float64", "count": "Int64", "flag": "boolean"}
    assert printed(rows_table(ROWS).astype(typed), form) == printed(rows_table(ROWS), form)


def test_a_table_without_rows_keeps_its_columns(printed):
    empty = rows_table([], ["a", "b"])
    assert printed(empty, "csv") == "a,b\n"
    assert printed(empty, "json") == "[]\n"
    assert printed(empty, "table").split() == ["a", "b"]


def test_a_class_may_be_called_like_a_column(printed):
    frame = pd.DataFrame([["train", 1, 2]], columns=["split", "images", "images"])
    assert printed(frame, "csv") == "split,images,images\ntrain,1,2\n"
    assert printed(frame, "table").split() == ["split", "images", "images", "train", "1", "2"]


def test_parquet_keeps_types_and_what_is_missing(capfdbinary):
    mixed = [{**row, "value": value} for row, value in zip(ROWS, [1, "auto"], strict=True)]
    show(rows_table(mixed), "parquet")
    frame = pd.read_parquet(io.BytesIO(capfdbinary.readouterr().out))
    assert frame["count"].tolist() == [12345, pd.NA]
    assert frame.dtypes.astype(str).tolist()[1:4] == ["Float64", "Int64", "boolean"]
    assert frame["value"].tolist() == ["1", "auto"]


def test_parquet_without_pyarrow_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"kt-search\[parquet\]"):
        parquet(rows_table(ROWS))


def test_counts_of_a_data_set_are_parquet_where_that_is_asked_for(capfdbinary, images):
    show_data(path=str(images), form="parquet")
    frame = pd.read_parquet(io.BytesIO(capfdbinary.readouterr().out))
    assert frame.columns.tolist() == ["class", "train", "validation", "test", "images"]
    assert frame["images"].sum() == 180
