import pytest

from benchmarks.progress_log import Header, Progress, append, begin_log
from benchmarks.time_to_accuracy import _by_seed, compare, parse, report, summary

THEIRS = [Progress(10.0, "0000", 1, 0.7), Progress(60.0, "0001", 1, 0.9)]
OURS = [Progress(5.0, "0000", 1, 0.8), Progress(20.0, "0001", 1, 0.9), Progress(40.0, "0002", 1, 0.95)]
LEVELS = [0.7, 0.95]


@pytest.fixture
def by_seed():
    return {
        1: compare({"keras_tuner": THEIRS, "tuner": OURS}, LEVELS),
        2: compare({"keras_tuner": THEIRS, "tuner": OURS[:1]}, LEVELS),
    }


def test_each_level_has_the_seconds_of_both_sides_and_their_ratio(by_seed):
    assert by_seed[1]["seconds"]["keras_tuner"] == {"0.7": 10.0, "0.95": None, "final": 60.0}
    assert by_seed[1]["seconds"]["tuner"] == {"0.7": 5.0, "0.95": 40.0, "final": 20.0}
    assert by_seed[1]["times_sooner"] == {"0.7": 2.0, "0.95": None, "final": 3.0}


def test_the_final_level_is_keras_tuners_own_best(by_seed):
    assert by_seed[1]["best"] == {"keras_tuner": 0.9, "tuner": 0.95}


def test_a_search_of_no_epochs_has_no_final_level():
    assert "final" not in compare({"keras_tuner": [], "tuner": OURS}, LEVELS)["times_sooner"]


def test_medians_are_taken_over_the_seeds(by_seed):
    found = summary(by_seed, LEVELS)
    assert found["median_s"]["keras_tuner"]["final"] == 60.0
    assert found["median_s"]["tuner"] == {"0.7": 5.0, "0.95": None, "final": None}
    assert found["times_sooner"] == {"0.7": 2.0, "0.95": None, "final": None}


def test_the_table_names_every_level_with_every_seed(by_seed):
    lines = report(by_seed, summary(by_seed, LEVELS)).splitlines()
    assert [line.split()[0] for line in lines] == [
        "val_accuracy",
        *["0.7"] * 3,
        *["0.95"] * 3,
        *["final"] * 3,
        *["best"] * 2,
    ]
    assert lines[1].split() == ["0.7", "1", "10.0", "5.000", "2.000"]


def test_an_earlier_log_is_found_by_its_seed(tmp_path):
    path = tmp_path / "log.jsonl"
    begin_log(path, Header("keras_tuner", 2, "0123", 100))
    append(path, THEIRS)
    assert _by_seed([path], [1, 2]) == {2: path}
    with pytest.raises(SystemExit, match=r"log\.jsonl'.*seed 2\b.*--seeds"):
        _by_seed([path], [1])


def test_options_take_lists_and_the_word_end():
    options = parse(["--seeds", "4,5", "--levels", "0.8,0.9", "--tuner-until", "end"])
    assert (options.seeds, options.levels) == ([4, 5], [0.8, 0.9])
    assert options.tuner_until > 1
    assert parse(["--tuner-until", "0.9"]).tuner_until == 0.9
