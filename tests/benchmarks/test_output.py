import argparse
import json
import re

import pytest

from benchmarks.output import output_file, put_out, shown, table


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, "-"), (0.12345, "0.123"), (12.345, "12.3"), (12345.6, "12,346"), (7, "7"), ("a", "a")],
)
def test_figures_are_shown_with_the_digits_that_count(cell, text):
    assert shown(cell) == text


def test_columns_are_aligned():
    assert table([["", "one"], ["long name", 1.5]]) == "             one\nlong name  1.500"


def test_a_result_goes_to_its_file_or_to_stdout(tmp_path, capsys):
    path = tmp_path / "result.json"
    put_out({"seconds": 1.5}, path)
    assert json.loads(path.read_text("utf-8")) == {"seconds": 1.5}
    assert capsys.readouterr().out == ""
    put_out({"seconds": 1.5}, None)
    assert json.loads(capsys.readouterr().out) == {"seconds": 1.5}


def test_a_file_in_a_missing_folder_is_refused_before_the_work(tmp_path):
    assert output_file(str(tmp_path / "result.json")) == tmp_path / "result.json"
    with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f"'{tmp_path / 'missing'}'")):
        output_file(str(tmp_path / "missing" / "result.json"))
