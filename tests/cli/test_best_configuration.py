"""What `tuner best` says of the winner's configuration can be asked for again."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tuner.results.query import open_run

pytestmark = pytest.mark.training


def only_values(folder: Path, name: str) -> dict[str, object]:
    (trial,) = open_run(folder / "results" / name).trials
    return trial.values


def winner(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "results/first/best/hyperparameters.json").read_text())
    return found


SHORT = ("--max-epochs", 1, "--quiet")


def test_the_names_and_values_that_it_shows_can_be_pasted(tuner: Run, copy_of_finished: Path) -> None:
    values = winner(copy_of_finished)
    shown = tuner("best", "first").stdout.splitlines()
    rows = {words[0]: words[1] for line in shown if len(words := line.split()) == 2 and words[0] in values}
    assert rows.keys() == values.keys()
    pasted = [part for name, value in rows.items() for part in ("--hp", f"{name}={value}")]
    space = open_run(copy_of_finished / "results" / "first").facts
    request = ("--space", space["space"], "--data", space["data"]["source"], *SHORT)
    done = tuner("train", *request, "--name", "again", *pasted)
    assert done.code == 0, done.stderr
    assert only_values(copy_of_finished, "again") == values


def test_its_toml_is_the_request_of_the_configuration(tuner: Run, copy_of_finished: Path) -> None:
    told = tuner("best", "first", "--format", "toml")
    assert told.code == 0, told.stderr
    (copy_of_finished / "best.toml").write_text(told.stdout)
    done = tuner("train", "--config", "best.toml", "--name", "again", *SHORT)
    assert done.code == 0, done.stderr
    assert only_values(copy_of_finished, "again") == winner(copy_of_finished)
    first, again = (open_run(copy_of_finished / "results" / name).facts for name in ("first", "again"))
    for fact in ("space", "objective", "seed", "dataset"):
        assert first[fact] == again[fact]


def test_the_hyperparameters_of_a_run_are_a_configuration(tuner: Run, copy_of_finished: Path) -> None:
    facts = open_run(copy_of_finished / "results" / "first").facts
    done = tuner(
        *("train", "--space", facts["space"], "--data", facts["data"]["source"], "--name", "again", *SHORT),
        *("--config", "results/first/best/hyperparameters.json"),
    )
    assert done.code == 0, done.stderr
    assert only_values(copy_of_finished, "again") == winner(copy_of_finished)


@pytest.mark.parametrize("content", ["[1, 2]", "{", ""])
def test_a_file_that_is_no_configuration_is_refused(tuner: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "broken.json").write_text(content)
    result = tuner("train", "--config", "broken.json")
    assert result.code == 2
    assert len(result.error_lines) == 1
    assert "broken.json" in result.stderr


def test_a_toml_of_several_configurations_is_refused(tuner: Run, copy_of_finished: Path) -> None:
    for option in (("--retrain",), ("--ensemble", 2)):
        result = tuner("best", "first", "--format", "toml", *option)
        assert result.code == 2
        assert option[0] in result.stderr
        assert copy_of_finished.exists()
