"""The page for users of Keras Tuner is true: its code, its commands and its lists."""

import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import run_command
from tests.cli.pages import ROOT, blocks, shown_commands
from tests.pools import stub_pool
from tuner.config import SearchConfig
from tuner.option_fields import option_name

PAGE = ROOT / "docs" / "from_keras_tuner.md"
EXAMPLE = ROOT / "examples" / "keras_tuner_model.py"
# What keeps a command short enough for a test; the rest of it stays as shown.
SMALLER = {"--max-trials 10": "--max-trials 2", "--max-epochs 10": "--max-epochs 1"}
# Options of other commands than a search.
OF_OTHER_COMMANDS = {"--export", "--retrain", "--seeds", "--format", "--quiet"}
FAULTY = "tuner spaces check faulty.py"


def rows(heading: str) -> str:
    """The first column of the table below a heading."""
    text = PAGE.read_text("utf-8").partition(f"**{heading}**")[2]
    table = text.strip().partition("\n\n")[0]
    return "\n".join(line.split("|")[1] for line in table.splitlines())


def arrays() -> dict[str, np.ndarray]:
    """Images and labels of the size of the test images, under the names that the page gives them."""
    rng = np.random.default_rng(0)
    found = {f"x_{part}": rng.integers(0, 256, (32, 8, 8, 3), "uint8") for part in ("train", "val", "test")}
    return found | {f"y_{part}": np.arange(32) % 2 for part in ("train", "val", "test")}


def block_with(words: str) -> str:
    return next(block for block in blocks(PAGE, "python") if words in block)


def parameters(function: object) -> set[str]:
    assert callable(function)
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(function).parameters.values()
    return {each.name for each in found if each.name != "self" and each.kind not in kinds}


def test_the_example_is_the_code_on_the_page():
    shown, *_ = blocks(PAGE, "python")
    assert EXAMPLE.read_text("utf-8").endswith(shown)


def test_every_argument_of_a_tuner_has_its_counterpart_or_none():
    import keras_tuner as kt
    from keras_tuner.engine.base_tuner import BaseTuner

    table = rows("The tuner")
    tuners = (kt.Hyperband, kt.RandomSearch, kt.BayesianOptimization, kt.GridSearch, kt.SklearnTuner)
    wanted = set[str]().union(*(parameters(each.__init__) for each in (BaseTuner, kt.Tuner, *tuners)))
    assert "hyperband_iterations" in wanted
    assert {name for name in wanted if not re.search(rf"`{name}\b", table)} == set()
    assert all(f"`{each.__name__}`" in table for each in tuners)


def test_every_argument_of_a_fit_has_its_counterpart_or_none():
    import keras

    table = rows("`tuner.search(...)`")
    assert {name for name in parameters(keras.Model.fit) if not re.search(rf"`{name}\b", table)} == set()


def test_every_result_of_a_tuner_has_its_counterpart():
    import keras_tuner as kt

    own = {
        name
        for name in dir(kt.Hyperband)
        if name.startswith(("get_best", "results", "search_", "remaining", "reload"))
    }
    table = rows("Afterwards")
    assert len(own) > 4
    assert {name for name in own if f"`{name}" not in table} == set()


def test_every_option_on_the_page_exists():
    shown = set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text("utf-8")))
    known = {option_name(field) for field in SearchConfig.model_fields}
    assert len(shown & known) > 20
    assert shown - known == OF_OTHER_COMMANDS


@pytest.mark.training
@pytest.mark.filterwarnings("ignore")  # Keras Tuner uses deprecated functions
def test_the_code_beside_the_commands_is_that_of_keras_tuner(tmp_path, monkeypatch):
    """It runs, with one epoch."""
    monkeypatch.chdir(tmp_path)
    scope = dict[str, object](arrays())
    exec(compile(EXAMPLE.read_text("utf-8"), EXAMPLE.name, "exec"), scope)
    script = block_with("kt.Hyperband").replace("max_epochs=10", "max_epochs=1")
    exec(compile(script, PAGE.name, "exec"), scope)
    assert (tmp_path / "model.keras").is_file()


@pytest.mark.training
def test_the_commands_work_one_after_the_other(
    images: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials are not trained here, as nothing depends on their figures; all else is done."""
    (tmp_path / "my_model.py").write_text(EXAMPLE.read_text("utf-8"), encoding="utf-8")
    (tmp_path / "faulty.py").write_text(block_with("momentum"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(compile(block_with("np.savez"), PAGE.name, "exec"), dict(arrays()))
    commands = shown_commands(PAGE)
    assert FAULTY in commands
    for line in dict.fromkeys(commands):
        for shown, smaller in SMALLER.items():
            line = line.replace(shown, smaller)
        result = run_command(
            *shlex.split(line)[1:],
            cwd=tmp_path,
            cache=cache,
            pool=stub_pool(lambda _, epoch: epoch / 10),
            TUNER_DATA=str(images),
            TUNER_MAX_TRIALS="2",
        )
        assert result.code == (1 if line == FAULTY else 0), f"{line}\n{result.stderr}"
        if line == FAULTY:
            wrong = re.findall(r"^wrong +(.+?):", PAGE.read_text("utf-8"), flags=re.MULTILINE)
            assert wrong == re.findall(r"^wrong +(.+?):", result.stdout, flags=re.MULTILINE)


def test_a_script_that_reads_data_is_refused_as_the_page_shows(cache: Path, tmp_path: Path) -> None:
    script = "import keras\n\n\n\n(x, y), _ = keras.datasets.cifar10.load_data()\n"
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    result = run_command("spaces", "check", "script.py", cwd=tmp_path, cache=cache)
    *_, shown = blocks(PAGE, "text")
    assert result.code == 2
    for part in ("'script.py', line 5", "load_data()", "__main__"):
        assert part in shown
        assert part in result.stderr
