import pytest

from benchmarks.progress_log import (
    Header,
    Progress,
    append,
    begin_log,
    best,
    median_s,
    read_log,
    seconds_to,
    times_sooner,
)

HEADER = Header("tuner", 1, "0123", 100)
EPOCHS = [Progress(10.0, "0000", 1, 0.5), Progress(20.0, "0000", 2, 0.9), Progress(30.0, "0001", 1, 0.8)]


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    begin_log(path, HEADER)
    return path


def test_what_is_written_can_be_read_again(log):
    append(log, EPOCHS)
    assert read_log(log) == (HEADER, EPOCHS)


def test_epochs_come_back_in_the_order_of_time(log):
    append(log, reversed(EPOCHS))
    assert read_log(log)[1] == EPOCHS


def test_a_line_cut_off_by_a_kill_is_left_out(log):
    append(log, EPOCHS)
    log.write_text(log.read_text("utf-8")[:-10], encoding="utf-8")
    assert read_log(log)[1] == EPOCHS[:-1]


@pytest.mark.parametrize("text", ["", "one line", "{}\n", '{"side": "tuner"}\n{"seconds": 1}\n'])
def test_any_other_file_is_refused(tmp_path, text):
    path = tmp_path / "other.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"other\.jsonl'.*benchmarks\.time_to_accuracy"):
        read_log(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.jsonl'.*No such file"):
        read_log(tmp_path / "missing.jsonl")


@pytest.mark.parametrize(("level", "seconds"), [(0.5, 10.0), (0.51, 20.0), (0.9, 20.0), (0.91, None)])
def test_a_level_is_reached_with_the_first_epoch_that_is_as_good(level, seconds):
    assert seconds_to(level, EPOCHS) == seconds


def test_the_last_digit_of_float32_does_not_keep_a_level_from_being_reached():
    assert seconds_to(0.9, [Progress(1.0, "0", 1, 0.8999999762)]) == 1.0


def test_the_best_of_no_epochs_is_unknown():
    assert best(EPOCHS) == 0.9
    assert best([]) is None


@pytest.mark.parametrize(
    ("seconds", "median"),
    [
        ([3.0, 1.0, 2.0], 2.0),
        ([1.0, 3.0], 2.0),
        ([1.0, None, 2.0], 2.0),
        ([1.0, None, None], None),
        ([1.0, None], None),
    ],
)
def test_a_level_never_reached_counts_as_later_than_all(seconds, median):
    assert median_s(seconds) == median


def test_no_ratio_where_one_side_never_was():
    assert times_sooner(10.0, 4.0) == 2.5
    assert times_sooner(None, 4.0) is None
    assert times_sooner(10.0, None) is None
