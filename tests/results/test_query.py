import pytest

from tests.results.records import FACTS, epoch, record
from tuner.errors import TunerError, UsageError
from tuner.results.query import find_run, open_run, rank, runs, winner
from tuner.results.schema import FAILED, RUNNING, STORE_FILE
from tuner.results.store import Store


def make_run(results, name, started_at="2026-01-01T00:00:00+00:00", scores=()):
    path = results / name
    path.mkdir(parents=True)
    store = Store.create(path / STORE_FILE, {**FACTS, "started_at": started_at})
    for number, score in enumerate(scores, start=1):
        store.start_rung(record(f"{number:04d}"))
        if score is None:
            store.fail(f"{number:04d}", 0, "nan: no number")
        else:
            epoch(store, f"{number:04d}", 0, 1, {"val_accuracy": score}, score)
            store.finish_rung(f"{number:04d}", 0, "COMPLETED", 1, 1.0)
    store.close()
    return path


@pytest.fixture
def results(tmp_path):
    """Two runs; the one begun last comes first by name."""
    make_run(tmp_path / "results", "zebra", "2026-01-01T00:00:00+00:00", [0.5])
    make_run(tmp_path / "results", "apple", "2026-01-02T00:00:00+00:00", [0.5, 0.75, None])
    return tmp_path / "results"


def ids(trials):
    return [trial.trial_id for trial in trials]


SCORED = [record("0001", score=0.5), record("0002", score=0.75), record("0003", score=0.25)]


@pytest.mark.parametrize(
    ("direction", "order"), [("max", ["0002", "0001", "0003"]), ("min", ["0003", "0001", "0002"])]
)
def test_trials_are_ranked_in_the_direction_of_the_objective(direction, order):
    assert ids(rank(SCORED, direction)) == order


@pytest.mark.parametrize("direction", ["min", "max"])
def test_of_equal_trials_the_earlier_is_ranked_first(direction):
    assert ids(rank([record("0002", score=0.5), record("0001", score=0.5)], direction)) == ["0001", "0002"]


def test_a_failed_trial_is_not_ranked_whatever_its_score():
    """Keras Tuner pads its best trials with failed ones and dies loading them."""
    assert ids(rank([record("0001", score=0.9, status=FAILED), record("0002", score=0.1)], "max")) == ["0002"]


def test_a_trial_without_a_score_is_not_ranked():
    assert rank([record(status=RUNNING)], "max") == []


def test_a_score_of_zero_is_ranked():
    assert ids(rank([record("0001", score=0.5), record("0002", score=0.0)], "min")) == ["0002", "0001"]


def test_a_run_is_read_back_with_its_trials_ranked(results):
    run = open_run(results / "apple")
    assert (run.run_id, ids(run.trials), ids(run.ranked)) == (
        "apple",
        ["0001", "0002", "0003"],
        ["0002", "0001"],
    )


def test_the_winner_is_the_best_trial(results):
    assert winner(open_run(results / "apple")).trial_id == "0002"


def test_a_run_without_a_scored_trial_has_no_winner(tmp_path):
    path = make_run(tmp_path, "empty", scores=[None, None])
    with pytest.raises(TunerError, match=r"'empty'.*\b0 completed, 2 failed"):
        winner(open_run(path))


def test_runs_are_listed_in_the_order_they_began(results):
    assert [run.run_id for run in runs(results)] == ["zebra", "apple"]


def test_other_files_and_folders_are_no_runs(results):
    (results / "README.md").write_text("text")
    (results / "notes").mkdir()
    assert len(runs(results)) == 2


def test_a_missing_results_folder_holds_no_runs(tmp_path):
    assert runs(tmp_path / "none") == []


def test_no_reference_stands_for_the_last_run_begun(results):
    assert find_run(None, results).run_id == "apple"


def test_a_run_is_found_by_its_id(results):
    assert find_run("zebra", results).run_id == "zebra"


def test_a_run_is_found_by_its_path_wherever_it_is(tmp_path, results):
    path = make_run(tmp_path / "moved", "elsewhere")
    assert find_run(str(path), results).path == path


def test_an_unknown_run_names_the_nearest(results):
    with pytest.raises(UsageError, match=rf"'appel'.*'{results}'.*'apple'"):
        find_run("appel", results)


def test_no_runs_at_all_say_how_to_begin_one(tmp_path):
    with pytest.raises(UsageError, match=rf"'{tmp_path}'.*tuner search"):
        find_run(None, tmp_path)


def test_a_damaged_run_asked_for_is_named(results):
    (results / "zebra" / STORE_FILE).write_bytes(b"")
    with pytest.raises(TunerError, match="zebra"):
        find_run("zebra", results)


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_a_damaged_run_does_not_hide_the_others(results, content):
    (results / "zebra" / STORE_FILE).write_bytes(content)
    assert find_run(None, results).run_id == "apple"


def test_a_run_killed_while_it_was_made_does_not_hide_the_others(results):
    (results / "cut").mkdir()
    Store.create(results / "cut" / STORE_FILE, {}).close()
    assert [run.run_id for run in runs(results)] == ["zebra", "apple"]
