"""Keras Tuner code in the forms that people have is searched as it is, or refused in one clear line.

Each form is shown to a search that ends before its first trial; some are trained too.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Result, run_command
from tests.cli.keras_tuner_code import BESIDE, SPACES
from tuner.spaces import unfolding

pytestmark = pytest.mark.training

ON_JAX = os.environ.get("KERAS_BACKEND") == "jax"
OF_DATA = re.compile("validation images:|gathered")


@dataclass(frozen=True)
class Outcome:
    """What is right for a form.

    `code` is the exit code; `says` are words of the notes or of the error; `columns` are the hyperparameters.
    """

    code: int = 0
    says: tuple[str, ...] = ()
    size: str = ""
    """Number of configurations, as the head of a search has it."""
    trained: bool = False


def refused(*says: str) -> Outcome:
    return Outcome(2, says)


def searched(*says: str, size: str = "", trained: bool = False) -> Outcome:
    return Outcome(0, says, size, trained)


OUTCOMES = {
    "loop.py": searched("filters_1", "filters_2", "--pixels 0..1", size="78", trained=True),
    "branches.py": searched("block_1/width", size="33", trained=True),
    "script.py": refused("script.py", "line 2", "np.load", "__main__"),
    "guarded.py": searched("filters_1", size="78"),
    "fit.py": searched("fit", size="6", trained=True),
    "arguments.py": searched(size="3", trained=True),
    "instance.py": searched(size="3"),
    "two_candidates.py": refused("build_a", "build_c"),
    "old_package.py": searched("kerastuner", size="3"),
    "old_optimizer.py": searched("lr", size="6"),
    "old_decay.py": refused("decay", "InverseTimeDecay"),
    "tf_keras.py": refused("tf_keras", "import keras"),
    "categorical.py": searched(size="3", trained=True),
    "binary_of_two.py": searched(size="6", trained=True),
    "squares_of_two.py": searched(size="3"),
    "softmax_of_one.py": refused("softmax", "sigmoid"),
    "sparse_of_one.py": refused("sparse_categorical_crossentropy", "binary_crossentropy"),
    "acc.py": searched(size="3", trained=True),
    "auc.py": searched(size="3"),
    "no_metrics.py": searched(size="3", trained=True),
    "metric_objects.py": searched(size="3"),
    "own_loss.py": searched(size="6", trained=True),
    "lambda.py": searched("lambda", size="3", trained=True),
    "default_outside.py": refused("elu", "relu", "default_outside.py, line"),
    "range.py": searched("'drop'", "0.25", size="9"),
    "tuples.py": refused("(3, 3)", "str", "tuples.py, line"),
    "mixed_types.py": refused("same", "type", "mixed_types.py, line"),
    "batch_size.py": searched(size="6", trained=True),
    "two_ranges.py": searched("'units'", size="11"),
    "own_auc.py": searched("val_auc", size="3"),
    "epochs.py": refused("'epochs'", "--max-epochs"),
    "unused.py": searched("'momentum'", size="6"),
    "augmented.py": searched(size="4"),
    "schedule.py": searched(size="24"),
    "grey.py": refused("(28, 28, 1)", "spec.image_shape"),
    "larger.py": refused("64", "--image-size 64"),
    "ten_classes.py": refused("10", "2 classes"),
    "precision.py": searched("mixed_float16", "--precision", size="3", trained=True),
    "seed.py": searched("--seed", size="3"),
    "strategy.py": searched("MirroredStrategy", size="3"),
    "two_outputs.py": refused("2 output"),
    "uncompiled.py": refused("compile"),
    "logits.py": searched(size="3", trained=True),
    "logits_of_one.py": searched(size="3"),
    "own_layer.py": searched("Scaled", "register_keras_serializable", size="3", trained=True),
    "neighbour.py": searched(size="3"),
    "relative.py": searched(size="3"),
    "shell_lines.py": searched("line 1", size="3"),
    "exported_notebook.py": searched("line 2", size="3"),
    "cells.ipynb": searched("cell 1", "cell 2", size="3"),
    "eager.py": searched("run_eagerly", size="3"),
    "train_step.py": refused("train_step") if ON_JAX else searched("Own", size="3", trained=True),
    "unscaled.py": searched("units_1", "--pixels 0..1", trained=True),
    "impure.py": searched("Two builds", size="3"),
    "broken.py": refused("broken.py", "line 1"),
}


def written(folder: Path, name: str) -> str:
    package = folder / "spaces"
    package.mkdir()
    for file, source in {"__init__.py": "", **BESIDE, name: SPACES[name]}.items():
        (package / file).write_text(source, encoding="utf-8")
    return f"spaces/{name}"


def run(folder: Path, name: str, images: Path, cache: Path, *request: object) -> Result:
    return run_command(
        *("search", "--space", written(folder, name), "--data", images, "--name", "one", *request),
        cwd=folder,
        cache=cache,
    )


def test_every_form_has_an_outcome() -> None:
    assert OUTCOMES.keys() == SPACES.keys()


@pytest.fixture(autouse=True)
def time_for_all_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The space that is found does not depend on the speed of the machine."""
    monkeypatch.setattr(unfolding, "MAX_SECONDS", 600.0)


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_search_says_what_it_makes_of_a_form_before_its_first_trial(
    name: str, images: Path, tmp_path: Path, cache: Path
) -> None:
    outcome = OUTCOMES[name]
    result = run(tmp_path, name, images, cache, "--dry-run")
    assert result.code == outcome.code, result.stderr
    told = [line for line in result.error_lines if line.startswith(("note", "error"))]
    if outcome.code:
        assert len(told) == 1, result.stderr
        assert "Traceback" not in result.stderr
    for words in outcome.says:
        assert any(words in line for line in told), (words, told)
    if outcome.size:
        assert f", {outcome.size} configurations" in result.stderr
    if outcome.code == 0 and not outcome.says:
        assert [line for line in told if not OF_DATA.search(line)] == []


@pytest.mark.parametrize("name", OUTCOMES)
def test_check_agrees_with_a_search(name: str, tmp_path: Path, cache: Path) -> None:
    outcome = OUTCOMES[name]
    request = ("spaces", "check", written(tmp_path, name), "--image-size", 8)
    result = run_command(*request, cwd=tmp_path, cache=cache)
    lines = (result.stdout + result.stderr).splitlines()
    told = [line for line in lines if line.startswith(("wrong", "note", "error"))]
    assert "Traceback" not in result.stderr
    if outcome.code:
        assert result.code != 0
        assert all(any(words in line for line in told) for words in outcome.says), told
    elif not outcome.says:
        assert (result.code, told) == (0, [])


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")  # in the worker's log
@pytest.mark.parametrize("name", [name for name, outcome in OUTCOMES.items() if outcome.trained])
def test_a_form_trains_and_its_winner_is_exported(
    name: str, images: Path, tmp_path: Path, cache: Path
) -> None:
    request = ("--algorithm", "random", "--max-trials", 2, "--max-epochs", 1)
    result = run(tmp_path, name, images, cache, *request)
    assert result.code == 0, result.stderr
    trials = pd.read_csv(tmp_path / "results" / "one" / "trials.csv")
    assert list(trials["status"]) == ["COMPLETED"] * 2
    assert trials["score"].between(0, 1).all()
    exported = run_command("best", "--export", "winner.keras", cwd=tmp_path, cache=cache)
    assert exported.code == 0, exported.stderr
    assert (tmp_path / "winner.keras").is_file()
