"""Each field of SearchConfig is an option, a variable and a TOML key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

import tuner.cli.search_commands as search_commands
from tuner.cli.main import app
from tuner.cli.options import options_of
from tuner.config import FIELDS, SearchConfig, read_toml, to_toml
from tuner.option_fields import option_name

# What is neither the default nor refused beside the other defaults.
ALLOWED: dict[str, Any] = {
    "space": "some",
    "data": "some",
    "algorithm": "asha",
    "sampler": "random",
    "hp": ("units=3",),
    "weights": "some",
    "include": ("units=4",),
    "warm_start": "some",
    "max_trials": 9,
    "max_epochs": 9,
    "factor": 9,
    "objective": "val_loss",
    "batch_size": 9,
    "patience": 9,
    "class_weights": "auto",
    "seed": 9,
    "fidelity": "epochs",
    "max_epochs_total": 9,
    "max_time": 60.0,
    "trial_timeout": 60.0,
    "max_failures": 9,
    "workers": 9,
    "cluster": "auto",
    "cpus_per_trial": 2.0,
    "gpus_per_trial": 0.5,
    "storage": "some",
    "worker_memory": 512.0,
    "precision": "float32",
    "xla": "on",
    "reuse": False,
    "image_size": 9,
    "pixels": "0..1",
    "limit": 9,
    "limit_test": 9,
    "positive": "some",
    "splits": ("test=eval",),
    "label_from": "(a|b)",
    "label_column": "some",
    "path_column": "some",
    "split_column": "some",
    "group_column": "some",
    "exclude": ("*_mask.png",),
    "min_class_images": 9,
    "max_unusable": 0.5,
    "data_format": "channels_first",
    "resize": "pad",
    "strict": True,
    "tensorboard": True,
    "name": "some",
    "results_dir": "elsewhere",
}
TOGETHER = {"cpus_per_trial": ["--cluster", "auto"], "gpus_per_trial": ["--cluster", "auto"]}
ALL = list(FIELDS)


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> Callable[..., SearchConfig]:
    """Return the request that `tuner search` makes of its arguments."""
    for field in ALL:
        monkeypatch.delenv(f"TUNER_{field.upper()}", raising=False)
    requests: list[SearchConfig] = []
    monkeypatch.setattr(search_commands, "run_search", lambda request: requests.append(request))

    def search(*arguments: str) -> SearchConfig:
        app(["search", *arguments], standalone_mode=False)
        return requests.pop()

    return search


def value_of(request: SearchConfig, field: str) -> Any:
    return request.model_dump()[field]


@pytest.mark.parametrize("field", ALL)
def test_every_field_is_an_option(requested: Callable[..., SearchConfig], field: str) -> None:
    value = ALLOWED[field]
    if isinstance(value, bool):
        arguments = [option_name(field) if value else f"--no-{option_name(field)[2:]}"]
    else:
        arguments = [option_name(field), value[0] if isinstance(value, tuple) else str(value)]
    assert value_of(requested(*arguments, *TOGETHER.get(field, [])), field) == value


@pytest.mark.parametrize("field", ALL)
def test_every_field_is_a_variable(
    requested: Callable[..., SearchConfig], monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    value = ALLOWED[field]
    monkeypatch.setenv(f"TUNER_{field.upper()}", value[0] if isinstance(value, tuple) else str(value))
    assert value_of(requested(*TOGETHER.get(field, [])), field) == value


@pytest.mark.parametrize("field", ALL)
def test_every_field_is_a_key_of_the_file(
    requested: Callable[..., SearchConfig], tmp_path: Path, field: str
) -> None:
    cluster = {"cluster": "auto"} if field in TOGETHER else {}
    path = tmp_path / "search.toml"
    path.write_text(to_toml(SearchConfig.model_validate({**cluster, field: ALLOWED[field]})))
    assert field in read_toml(path)
    assert value_of(requested("--config", str(path)), field) == ALLOWED[field]


def test_an_option_wins_over_a_variable_over_the_file_over_the_default(
    requested: Callable[..., SearchConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "search.toml"
    path.write_text("max_trials = 2\nmax_epochs = 2\nseed = 2\n")
    monkeypatch.setenv("TUNER_MAX_TRIALS", "3")
    monkeypatch.setenv("TUNER_MAX_EPOCHS", "3")
    request = requested("--config", str(path), "--max-trials", "4")
    assert (request.max_trials, request.max_epochs, request.seed, request.workers) == (4, 3, 2, 1)


def options(command: str) -> dict[str, Any]:
    commands: dict[str, Any] = vars(get_command(app))["commands"]
    return {parameter.name: parameter for parameter in commands[command].params}


def test_every_command_of_fields_shows_them_in_the_order_of_the_request() -> None:
    names = [name for name in options("search") if name in ALL]
    assert names == ALL
    shown = [name for name in options("train") if name in ALL]
    assert shown == [name for name in ALL if name in shown]


def test_resume_and_retry_have_the_same_options_and_no_variable_changes_a_run() -> None:
    assert list(options("resume")) == list(options("retry"))
    for command in ("resume", "retry"):
        assert {name for name, each in options(command).items() if each.envvar} == {"results_dir"}


def test_a_command_is_told_only_the_fields_that_are_given() -> None:
    told: list[dict[str, Any]] = []
    other = typer.Typer()

    def command(top: int = 3, **given: Any) -> None:
        told.append({"top": top, **given})

    other.command()(options_of(["max_time", "reuse", "hp"], variables=False)(command))
    for arguments in ([], ["--max-time", "2h", "--no-reuse", "--hp", "a=1", "--top", "5"]):
        other(arguments, standalone_mode=False)
    assert told == [{"top": 3}, {"top": 5, "max_time": "2h", "reuse": False, "hp": ["a=1"]}]
