"""Secrets in URLs: refused before anything keeps them, and never shown."""

from pathlib import Path

import pytest

from tests.cli.conftest import Result, Run
from tuner.config import make_config
from tuner.credentials import credentials_refusal, without_credentials
from tuner.errors import UsageError

SECRET = "wJalrXUtn/FEMI+K7"
URL = f"s3://AKIAEXAMPLE:{SECRET}@bucket/runs"


def check(result: Result, folder: Path) -> None:
    assert (result.code, result.stdout) == (2, "")
    (line,) = result.error_lines
    assert SECRET not in line
    assert "environment" in line
    assert list(folder.glob("results")) == []


def test_an_option_with_a_secret_is_refused_and_names_the_variables(tuner: Run, tmp_path: Path) -> None:
    result = tuner("search", "--storage", URL)
    check(result, tmp_path)
    assert "--storage" in result.stderr
    assert "AWS_SECRET_ACCESS_KEY" in result.stderr


def test_a_variable_with_a_secret_is_refused(tuner: Run, tmp_path: Path) -> None:
    check(tuner("train", TUNER_STORAGE=URL), tmp_path)


def test_a_file_with_a_secret_is_refused_and_named(tuner: Run, tmp_path: Path) -> None:
    (tmp_path / "search.toml").write_text(f'storage = "{URL}"\n', "utf-8")
    result = tuner("search", "--config", "search.toml")
    check(result, tmp_path)
    assert "search.toml" in result.stderr


@pytest.mark.parametrize(
    "request_",
    [
        ("search", "--cluster", f"ray://me:{SECRET}@host:10001"),
        ("doctor", "--cluster", f"ray://me:{SECRET}@host:10001"),
        ("search", "--data", f"https://{SECRET}@host/images.zip"),
        ("search", "--data", f"https://host/images.zip?X-Amz-Signature={SECRET}"),
        ("search", "--hp", f"weights=https://me:{SECRET}@host/w.h5"),
        ("search", "--dry-run", "--results-dir", f"s3://bucket/x?key=a&token={SECRET}"),
    ],
)
def test_every_option_that_a_run_keeps_is_looked_at(
    request_: tuple[str, ...], tuner: Run, tmp_path: Path
) -> None:
    check(tuner(*request_), tmp_path)


@pytest.mark.parametrize(
    "request_",
    [
        ("predict", f"https://me:{SECRET}@host/model.keras", "a.png"),
        ("data", "show", f"https://host/images.zip?sig={SECRET}"),
        ("leaderboard", "last", f"s3://KEY:{SECRET}@bucket"),
    ],
)
def test_an_error_shows_a_url_without_its_secret(request_: tuple[str, ...], tuner: Run) -> None:
    result = tuner(*request_)
    assert result.code == 2
    assert SECRET not in result.stderr


def test_a_request_made_in_python_is_refused_too() -> None:
    with pytest.raises(UsageError) as caught:
        make_config({"storage": URL})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/folder",
        "ray://head:10001",
        "abfs://container@account.dfs.core.windows.net/folder",
        "sftp://me@host:22/folder",
        "/data/a b:c@d?e",
    ],
)
def test_a_name_before_a_host_is_no_secret(url: str) -> None:
    assert (credentials_refusal(url), without_credentials(url)) == ("", url)


def test_a_secret_with_spaces_or_quotes_is_seen() -> None:
    assert credentials_refusal("s3://KEY:a b'c\"d@bucket")


def test_only_the_secrets_of_a_sentence_are_hidden() -> None:
    text = f"cannot reach '{URL}/a': see https://docs.example/x?id=1 or ask me@host: now"
    assert without_credentials(text) == (
        "cannot reach 's3://***@bucket/runs/a': see https://docs.example/x?*** or ask me@host: now"
    )
