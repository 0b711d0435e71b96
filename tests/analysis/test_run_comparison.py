import re

import pytest

from tests.analysis.finished_runs import finished_run, unfinished_run
from tests.results.records import DATA
from tuner.analysis.run_comparison import COLUMNS, caveats, comparison_row
from tuner.results.schema import BEST, MODEL_FILE, PREDICTIONS_FILE

OTHER = DATA | {"fingerprint": "g", "source": "/data/other"}


def test_a_row_has_every_column_in_order(tmp_path):
    assert tuple(comparison_row(finished_run(tmp_path / "a"))) == COLUMNS


def test_a_finished_run_is_told_by_its_winner(tmp_path):
    assert comparison_row(finished_run(tmp_path / "a")) == {
        "run_id": "a",
        "space": "sequential",
        "dataset": "tiny",
        "status": "completed",
        "trials": 2,
        "trial_id": "0002",
        "accuracy": 0.9,
        "accuracy_low_95": 0.85,
        "accuracy_high_95": 0.93,
        "auroc": 0.95,
        "accuracy_without_seen": None,
        "num_params": 20,
        "model_mib": 0.75,
        "preparation_s": 1.5,
        "loading_s": 4.0,
        "training_s": 3.0,
        "search_training_s": 6.0,
        "prediction_s": 0.5,
        "prediction_images_per_s": 400.0,
        "test_images": 200,
        "device": "CPU, 2 cores",
    }


def test_figures_are_those_of_the_trial_that_was_evaluated_though_another_is_ahead_by_now(tmp_path):
    row = comparison_row(finished_run(tmp_path / "a", {"trial_id": "0001"}))
    assert (row["trial_id"], row["num_params"]) == ("0001", 10)


def test_an_unfinished_run_has_what_there_is_of_its_best_trial(tmp_path):
    row = comparison_row(unfinished_run(tmp_path / "a"))
    assert (row["status"], row["trial_id"], row["num_params"], row["training_s"]) == (
        "interrupted",
        "0002",
        20,
        3.0,
    )
    assert [name for name in COLUMNS if row[name] is None] == [
        *("accuracy", "accuracy_low_95", "accuracy_high_95", "auroc", "accuracy_without_seen"),
        *("model_mib", "prediction_s", "prediction_images_per_s", "test_images"),
    ]


def test_a_run_without_any_trial_has_a_row(tmp_path):
    row = comparison_row(unfinished_run(tmp_path / "a", scores=()))
    assert (row["trials"], row["trial_id"], row["training_s"], row["search_training_s"]) == (
        0,
        None,
        None,
        None,
    )


def test_a_run_begun_before_times_were_taken_lacks_them(tmp_path):
    row = comparison_row(finished_run(tmp_path / "a", {"prediction_s": None}, timings={}))
    missing = ("preparation_s", "loading_s", "prediction_s", "prediction_images_per_s")
    assert [name for name in COLUMNS if row[name] is None] == ["accuracy_without_seen", *missing]


def test_a_run_of_several_classes_has_no_auroc(tmp_path):
    assert comparison_row(finished_run(tmp_path / "a", {"auroc": None}))["auroc"] is None


def test_a_model_that_is_gone_has_no_size(tmp_path):
    run = finished_run(tmp_path / "a")
    (run.path / BEST / MODEL_FILE).unlink()
    assert comparison_row(run)["model_mib"] is None


def test_runs_on_the_same_data_need_no_caveat(tmp_path):
    assert caveats([finished_run(tmp_path / name) for name in "abc"]) == []


def test_runs_on_other_test_images_are_named(tmp_path):
    runs = [
        finished_run(tmp_path / "a"),
        finished_run(tmp_path / "b"),
        finished_run(tmp_path / "c", data=OTHER),
        finished_run(tmp_path / "d", data=OTHER),
    ]
    (caveat,) = caveats(runs)
    assert "test images" in caveat
    assert re.findall(r"\b[abcd]\b", caveat) == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("facts", "tested"),
    [
        ({"data": DATA | {"source": "/data/tiny.zip"}}, ("z/a.png",)),
        ({"seed": 1}, ("c.png", "a.png", "b.png")),
        ({"data": DATA | {"fingerprint": "g"}}, ("a.png", "b.png", "c.png")),
    ],
    ids=["a copy elsewhere", "an official test split, another seed", "images of another size"],
)
def test_the_same_test_images_need_no_caveat(tmp_path, facts, tested):
    assert caveats([finished_run(tmp_path / "a"), finished_run(tmp_path / "b", tested=tested, **facts)]) == []


def test_another_seed_that_draws_another_test_split_is_told(tmp_path):
    runs = [finished_run(tmp_path / "a"), finished_run(tmp_path / "b", tested=("d.png",), seed=1)]
    assert len(caveats(runs)) == 1


def test_files_of_the_same_names_in_another_source_are_other_images(tmp_path):
    assert len(caveats([finished_run(tmp_path / "a"), finished_run(tmp_path / "b", data=OTHER)])) == 1


def test_images_that_cannot_be_known_to_be_the_same_are_not_taken_to_be(tmp_path):
    runs = [finished_run(tmp_path / "a"), finished_run(tmp_path / "b", seed=1)]
    for run in runs:
        (run.path / BEST / PREDICTIONS_FILE).unlink()
    assert len(caveats(runs)) == 1


def test_a_run_that_was_not_evaluated_yet_has_no_test_images_to_differ(tmp_path):
    assert caveats([finished_run(tmp_path / "a"), unfinished_run(tmp_path / "b", data=OTHER)]) == []


def test_times_on_different_devices_are_said_not_to_compare(tmp_path):
    runs = [finished_run(tmp_path / "a"), finished_run(tmp_path / "b", device="GPU")]
    (caveat,) = caveats(runs)
    assert all(part in caveat for part in ("CPU, 2 cores", "GPU", "times"))


def test_copies_of_training_images_in_a_test_split_are_a_caveat_with_the_accuracy_without(tmp_path):
    without = {"seen": 20, "images": 180, "accuracy": 0.8765, "auroc": None}
    run = finished_run(tmp_path / "a", {"without_seen": without})
    assert comparison_row(run)["accuracy_without_seen"] == 0.8765
    (caveat,) = caveats([run, finished_run(tmp_path / "b")])
    assert "a (87.65%)" in caveat
