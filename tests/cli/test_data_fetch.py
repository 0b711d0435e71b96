"""`tuner data fetch`, with a module in place of kagglehub that behaves like it and needs no network."""

import errno
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import requests

from tests.cli.conftest import Result, Run, write_images
from tuner.data.kaggle import KAGGLE_SETS

COUNTS = {"train": {"FAKE": 4, "REAL": 4}, "test": {"FAKE": 2, "REAL": 2}}
PAGE = "https://www.kaggle.com/datasets/birdy654/cifake-real-and-ai-generated-synthetic-images"

Download = Callable[[str, str | None], str]
Install = Callable[[Download], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what puts a download in place of kagglehub's; CIFAKE is as small as the data of the tests."""
    monkeypatch.setitem(KAGGLE_SETS, "cifake", replace(KAGGLE_SETS["cifake"], counts=COUNTS))

    def put(download: Download) -> None:
        def dataset_download(
            handle: str,
            path: str | None = None,
            *,
            force_download: bool | None = False,
            output_dir: str | None = None,
        ) -> str:
            assert path is None
            assert not force_download
            # Its logger and its note on versions write to stdout, its progress bar to stderr.
            sys.stdout.write("Warning: Looks like you're using an outdated `kagglehub` version\n")
            sys.stderr.write("100%|#####| 105M/105M\n")
            return download(handle, output_dir)

        module = ModuleType("kagglehub")
        module.__dict__["dataset_download"] = dataset_download
        monkeypatch.setitem(sys.modules, "kagglehub", module)

    return put


def kaggle(cache: Path) -> Download:
    """Return a download that works; like kagglehub it keeps what it has and fills empty folders only."""

    def download(handle: str, output_dir: str | None) -> str:
        folder = Path(output_dir) if output_dir else cache / "datasets" / handle / "versions" / "3"
        marker = folder / ".complete" / "datasets" / handle / "3" / "bundle.complete"
        if not marker.exists():
            if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
                raise FileExistsError(
                    f"output_dir is not empty: {folder}. Set force_download=True to replace it."
                )
            write_images(folder, count=4)
            marker.parent.mkdir(parents=True)
            marker.touch()
        return str(folder)

    return download


def failing(error: Exception) -> Download:
    def download(*_: object) -> str:
        raise error

    return download


def answer(status: int) -> Exception:
    """What kagglehub makes of an answer of the server: a message of several lines."""
    response = requests.Response()
    response.status_code = status
    error: Exception = requests.HTTPError(
        f"{status} Client Error.\n\nResource at URL: {PAGE}\n", response=response
    )
    return error


def failed(result: Result, code: int, *parts: str) -> None:
    assert result.code == code
    assert result.stdout == ""
    (line,) = [line for line in result.error_lines if not line.startswith(("100%", "Warning"))]
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


def test_stdout_is_the_path_to_give_as_data(tuner: Run, install: Install, tmp_path: Path) -> None:
    install(kaggle(tmp_path / "kagglehub"))
    result = tuner("data", "fetch", "cifake")
    assert result.code == 0, result.stderr
    path = result.stdout.removesuffix("\n")
    assert path.endswith("/birdy654/cifake-real-and-ai-generated-synthetic-images/versions/3")
    assert Path(path).is_dir()


def test_stderr_names_the_next_commands(tuner: Run, install: Install, tmp_path: Path) -> None:
    install(kaggle(tmp_path / "kagglehub"))
    result = tuner("data", "fetch", "cifake", "--to", "my data")
    for words in ("complete", "train 4 FAKE + 4 REAL", "test 2 FAKE + 2 REAL"):
        assert words in result.stderr
    assert f"tuner search --data '{tmp_path / 'my data'}'" in result.stderr


def test_quiet_leaves_nothing_but_the_path(tuner: Run, install: Install, tmp_path: Path) -> None:
    install(kaggle(tmp_path / "kagglehub"))
    result = tuner("data", "fetch", "cifake", "--to", "here", "--quiet")
    assert (result.stdout, result.stderr) == (f"{tmp_path / 'here'}\n", "")


def test_what_was_fetched_is_a_data_set_with_the_name_of_the_set(
    tuner: Run, install: Install, tmp_path: Path
) -> None:
    install(kaggle(tmp_path / "kagglehub"))
    path = tuner("data", "fetch", "cifake").stdout.strip()
    shown = tuner("data", "show", path, "--format", "json")
    assert '"name": "cifake-real-and-ai-generated-synthetic-images"' in shown.stdout


def test_what_is_there_already_is_used_again(tuner: Run, install: Install, tmp_path: Path) -> None:
    install(kaggle(tmp_path / "kagglehub"))
    first, second = (tuner("data", "fetch", "cifake", "--to", "here") for _ in range(2))
    assert (second.code, second.stdout) == (0, first.stdout)


def test_a_folder_with_other_files_is_left_alone(tuner: Run, install: Install, tmp_path: Path) -> None:
    install(kaggle(tmp_path / "kagglehub"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    failed(tuner("data", "fetch", "cifake", "--to", "mine"), 2, "mine", "empty", "--to")
    assert os.listdir(tmp_path / "mine") == ["thesis.txt"]  # noqa: PTH208


@pytest.mark.parametrize("name", ["cifak", "CIFAKE"])
def test_an_unknown_name_is_met_with_the_nearest(tuner: Run, name: str) -> None:
    failed(tuner("data", "fetch", name), 2, f"'{name}'", "Did you mean 'cifake'?", "cifake, faces")


def test_without_kagglehub_the_extra_is_named(tuner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    failed(tuner("data", "fetch", "cifake"), 2, "pip install 'kt-search[kaggle]'", PAGE, "--data")


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (requests.ConnectionError("HTTPSConnectionPool(...)"), ("no connection", "Kaggle")),
        (requests.ReadTimeout("timed out"), ("no connection", "ReadTimeout")),
        (answer(401), ("401", "token", "https://www.kaggle.com/settings/api")),
        (answer(403), ("403", "KAGGLE_API_TOKEN")),
        (answer(429), ("429", "later")),
        (OSError(errno.ENOSPC, "No space left on device"), ("No space left", "--to")),
        (ValueError("Invalid Kaggle credentials\nfile"), ("ValueError: Invalid Kaggle credentials file",)),
    ],
    ids=["offline", "timeout", "unauthorized", "forbidden", "busy", "full", "other"],
)
def test_a_failed_download_says_what_to_do(
    tuner: Run, install: Install, error: Exception, parts: tuple[str, ...]
) -> None:
    install(failing(error))
    failed(tuner("data", "fetch", "cifake"), 1, "'cifake'", *parts, PAGE, "--data")


def test_an_incomplete_set_is_reported_with_what_is_missing(
    tuner: Run, install: Install, tmp_path: Path
) -> None:
    install(kaggle(tmp_path / "kagglehub"))
    tuner("data", "fetch", "cifake", "--to", "here")
    (tmp_path / "here" / "train" / "REAL" / "000.png").unlink()
    expected = (
        f"'cifake' in {tmp_path / 'here'}",
        "train REAL has 3",
        "4",
        "--data",
    )
    failed(tuner("data", "fetch", "cifake", "--to", "here"), 1, *expected)


def test_a_set_without_classes_is_reported(tuner: Run, install: Install, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    install(lambda *_: str(tmp_path / "empty"))
    failed(tuner("data", "fetch", "cifake"), 1, "'cifake'", "no images")
