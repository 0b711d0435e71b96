"""Bad input: one line that says what is wrong, the right exit code, nothing left behind."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import Result, Run, write_images


def refused(result: Result, *parts: str) -> None:
    """Exit code 2, nothing on stdout, one line on stderr that names each part."""
    assert result.code == 2, result.stderr
    assert result.stdout == ""
    assert len(result.error_lines) == 1, result.stderr
    assert result.error_lines[0].startswith("error: ")
    for part in parts:
        assert part in result.error_lines[0]


def test_an_unknown_space_names_the_nearest(tuner: Run) -> None:
    refused(tuner("search", "--space", "sequentail"), "'sequentail'", "'sequential'")


def test_a_space_file_that_is_missing_is_named(tuner: Run) -> None:
    refused(tuner("search", "--space", "nowhere.py"), "nowhere.py")


def test_missing_data_is_named(tuner: Run) -> None:
    refused(tuner("search", "--data", "no/such/folder"), "no/such/folder")


def test_an_empty_folder_is_no_data_set(tuner: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(tuner("search", "--data", "empty"), "empty", "no images")


def test_one_class_is_not_enough(tuner: Run, tmp_path: Path) -> None:
    write_images(tmp_path / "one", classes=("REAL",), count=4)
    refused(tuner("search", "--data", "one"), "REAL", "one class")


def test_images_that_are_all_broken_stop_the_search(tuner: Run, tmp_path: Path) -> None:
    for name in ("FAKE", "REAL"):
        (tmp_path / "broken" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "broken" / name / f"{i}.jpg").write_bytes(b"not a picture")
    refused(tuner("search", "--data", "broken"), "broken")


def test_a_typo_in_a_value_names_what_is_allowed(tuner: Run) -> None:
    refused(tuner("search", "--algorithm", "hyperbnad"), "hyperbnad", "'hyperband'")


def test_a_value_that_is_no_number_is_named(tuner: Run) -> None:
    refused(tuner("search", "--max-trials", "many"), "--max-trials", "many")


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        (("--cluster", "loca"), ("--cluster 'loca'", "local", "auto", "ray://HOST:PORT")),
        (("--cluster", "ray://head"), ("'ray://head'", "ray://HOST:PORT")),
        (("--gpus-per-trial", "0.5"), ("--gpus-per-trial 0.5", "--cluster")),
        (("--cpus-per-trial", "2"), ("--cpus-per-trial 2", "--cluster")),
        (("--cluster", "local", "--gpus-per-trial", "1.5"), ("--gpus-per-trial", "1.5", "whole")),
        (("--storage", "nowhere://x"), ("'nowhere://x'", "'nowhere'", "kt-search[ray]")),
    ],
)
def test_what_a_cluster_cannot_be_is_said(
    tuner: Run, images: Path, request_: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    refused(tuner("search", "--data", images, "--quiet", *request_), *parts)


def test_an_unknown_option_is_named(tuner: Run) -> None:
    refused(tuner("search", "--max-trails", "5"), "--max-trails")


def test_no_trials_at_all_are_refused(tuner: Run) -> None:
    refused(tuner("search", "--max-trials", "0"), "--max-trials", "0", "equal to 1")


def test_a_typo_in_a_toml_key_names_the_nearest(tuner: Run, tmp_path: Path) -> None:
    (tmp_path / "search.toml").write_text("max_trails = 5\n", encoding="utf-8")
    refused(tuner("search", "--config", "search.toml"), "search.toml", "max_trails", "'max_trials'")


def test_a_bad_variable_is_refused_like_an_option(tuner: Run) -> None:
    refused(tuner("search", TUNER_OBJECTIVE="val_prettiness"), "val_prettiness", "val_prettiness:max")


def test_an_unwritable_results_folder_is_named(tuner: Run, images: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    refused(
        tuner("search", "--data", images, "--results-dir", "file/results"), "file/results", "--results-dir"
    )


def test_a_name_that_leads_out_of_the_results_folder_is_refused(tuner: Run) -> None:
    refused(tuner("search", "--name", "../elsewhere"), "--name", "../elsewhere")


def test_there_is_no_last_run_in_an_empty_folder(tuner: Run) -> None:
    refused(tuner("leaderboard"), "'results'", "tuner search")


def test_export_tells_which_suffix_it_can_write(tuner: Run) -> None:
    refused(tuner("best", "--export", "model.h5"), "model.h5", ".keras")


@pytest.mark.training
def test_an_objective_that_the_model_does_not_report_lists_those_it_does(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    result = tuner("search", "--data", images, "--objective", "val_precision")
    refused(
        result, "val_precision", "val_accuracy, val_auc" if "val_auc" in result.stderr else "val_accuracy"
    )
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.training
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def build(hp):\n    raise ValueError('no luck')\n", ("ValueError", "no luck", "line 2")),
        ("def build(hp):\n    pass\n", ("NoneType", "keras.Model")),
        ("import not_there\n", ("not_there",)),
        ("def construct(layers, units):\n    pass\n", ("'build'", "construct")),
    ],
    ids=["raises", "returns nothing", "cannot be imported", "has no build"],
)
def test_a_space_that_does_not_work_is_refused_before_anything_is_trained(
    tuner: Run, images: Path, tmp_path: Path, source: str, expected: tuple[str, ...]
) -> None:
    (tmp_path / "mine.py").write_text(source, encoding="utf-8")
    refused(tuner("search", "--space", "mine.py", "--data", images), "mine.py", *expected)
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.training
def test_a_space_that_fails_in_every_trial_ends_the_search_with_the_reasons_counted(
    tuner: Run, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(
        "import keras\n"
        "def build(hp):\n"
        "    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(1, 'sigmoid')])\n"
        "    rate = hp.Float('rate', 1e30, 1e32, default=1e-3)\n"
        "    model.compile(keras.optimizers.SGD(rate), 'binary_crossentropy', metrics=['accuracy'])\n"
        "    return model if rate < 1 else None\n",
        encoding="utf-8",
    )
    result = tuner("search", "--space", "mine.py", "--data", images, "--max-trials", 9, "--max-failures", 3)
    assert result.code == 1
    for part in ("3 trials", "3 build"):
        assert part in result.error_lines[-1]
    (run,) = (tmp_path / "results").iterdir()
    assert (run / "trials.csv").read_text("utf-8").count("FAILED") == 3
    assert tuner("best", run.name).code == 1


def test_image_of_one_colour_depth_or_another_is_no_reason_to_fail(tuner: Run, tmp_path: Path) -> None:
    modes = ["RGB", "L", "RGBA", "P", "I;16"]
    for label, name in enumerate(("FAKE", "REAL")):
        (tmp_path / "mixed" / name).mkdir(parents=True)
        for i in range(20):
            mode = modes[i % len(modes)]
            pixels = np.random.default_rng(label * 100 + i).integers(0, 256, (8, 8, 3), np.uint8)
            image = Image.fromarray(pixels)
            if mode == "I;16":
                image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
            else:
                image = image.convert(mode)
            image.save(tmp_path / "mixed" / name / f"{i}.png")
    result = tuner("data", "show", "mixed")
    assert result.code == 0, result.stderr
    assert "I;16 (8)" in result.stdout
    assert "unusable        none" in result.stdout
