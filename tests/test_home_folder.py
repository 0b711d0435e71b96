"""Users without a home folder, as in a container that runs as any user."""

import os
import pwd
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import run_command
from tests.conftest import write_npz
from tuner.cache_folder import cache_root
from tuner.config import make_config
from tuner.data.dataset import Dataset
from tuner.errors import UsageError
from tuner.files import location
from tuner.home_folder import expanded, some_home
from tuner.tuning.new_run import new_run_folder


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty current folder of a user without home folder; returns it."""

    def unknown(_user: object) -> None:
        raise KeyError

    for name in ("HOME", "TUNER_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_home_folder_takes_the_place_of_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert expanded("~/x") == "/somewhere/x"
    assert expanded("a~/x") == "a~/x"


@pytest.mark.parametrize("path", ["~", "~/x", "~nobody-of-this-name/x"])
def test_a_home_that_does_not_exist_is_refused(homeless: Path, path: str) -> None:
    for use in (expanded, location):
        with pytest.raises(UsageError, match=path):
            use(path)
    with some_home(), pytest.raises(UsageError, match=path):
        expanded(path)
    assert list(homeless.iterdir()) == []


def test_a_file_of_that_very_name_can_be_read(homeless: Path) -> None:
    (homeless / "~a.png").touch()
    assert expanded("~a.png") == "~a.png"


def test_a_temporary_home_is_private_and_removed(homeless: Path) -> None:
    with some_home() as made:
        assert made is not None
        assert stat.S_IMODE(Path(made).stat().st_mode) == 0o700
        assert cache_root().is_relative_to(made)
        assert Path.home() == Path(made)
    assert not Path(made).exists()
    assert "HOME" not in os.environ
    assert list(homeless.iterdir()) == []


def test_a_user_with_a_home_keeps_it() -> None:
    with some_home() as made:
        assert made is None


def command(folder: Path, *arguments: object) -> tuple[int, list[str]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.cli.conftest.environment", lambda _cache: {**os.environ})
        result = run_command(*arguments, cwd=folder, cache=folder)
    return result.code, result.error_lines


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_npz(tmp_path_factory.mktemp("npz") / "two.npz", ("FAKE", "REAL"), 30)


def test_a_command_says_that_its_cache_is_temporary(homeless: Path, data: Path) -> None:
    for arguments in (("data", "show", data, "--format", "csv"), ("runs",)):
        code, lines = command(homeless, *arguments)
        assert code == 0
        (line,) = (line for line in lines if "HOME" in line)
        for part in ("TUNER_CACHE_DIR", "removed"):
            assert part in line
    assert list(homeless.iterdir()) == []


def test_nothing_is_said_where_a_cache_is_given(
    homeless: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_CACHE_DIR", str(homeless / "cache"))
    code, lines = command(homeless, "data", "show", data, "--format", "csv")
    assert (code, [line for line in lines if "HOME" in line]) == (0, [])


def test_a_run_of_a_configuration_is_not_in_a_folder_named_tilde(homeless: Path, dataset: Dataset) -> None:
    config = make_config({"results_dir": "~/x"})
    with pytest.raises(UsageError, match="'~/x'"), new_run_folder(config, dataset):
        pass
    assert list(homeless.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "--results-dir", "~/x"),
        ("spaces", "copy", "cnn", "~/space.py"),
        ("best", "--export", "~/model.keras"),
        ("report", "--out", "~/report.html"),
        ("evaluate", "model.keras", "--data", "demo", "--out", "~/figures"),
    ],
    ids=" ".join,
)
def test_no_folder_is_named_tilde(homeless: Path, arguments: tuple[str, ...]) -> None:
    code, lines = command(homeless, *arguments)
    assert code == 2
    assert "'~/" in lines[-1]
    assert not (homeless / "~").exists()
