"""Every command on the page about images as people have them does what it says."""

import shlex
import shutil

import pytest

from tests.cli.conftest import run_command
from tests.cli.pages import ROOT, shown_commands
from tests.pools import stub_pool
from tuner.data_options import DataOptions
from tuner.option_fields import option_name

PAGE = ROOT / "docs" / "data.md"
SMALLER = {"--max-trials 50": "--max-trials 1 --max-epochs 1"}


def test_every_option_of_the_data_is_on_the_page_or_about_the_sample():
    about_samples = {"--limit", "--limit-test", "--positive"}
    named = PAGE.read_text("utf-8")
    missing = [name for field in DataOptions.model_fields if (name := option_name(field)) not in named]
    assert set(missing) == about_samples


@pytest.mark.training
def test_the_commands_work(images, cache, tmp_path):
    """Trials are not trained here, as nothing depends on their figures; all else is done."""
    classes = {"cat": images / "train" / "FAKE", "dog": images / "train" / "REAL"}
    (tmp_path / "flat").mkdir()
    rows = ["file,kind,patient"]
    for name, folder in classes.items():
        shutil.copytree(folder, tmp_path / "photos" / name)
        shutil.copytree(folder, tmp_path / "scans" / "first" / name)
        shutil.copytree(images / "test" / folder.name, tmp_path / "scans" / "second" / name)
        for number, path in enumerate(sorted(folder.iterdir())):
            shutil.copy(path, tmp_path / "flat" / f"{name}_{path.name}")
            rows.append(f"photos/{name}/{path.name},{name},{number % 20}")
    (tmp_path / "patients.csv").write_text("\n".join(rows))
    shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path, "photos")
    (tmp_path / "photos" / "docs").mkdir()
    shutil.copy(tmp_path / "photos" / "cat" / "000.png", tmp_path / "photos" / "docs" / "logo.png")
    pool = stub_pool(lambda _, epoch: epoch / 10)
    for line in shown_commands(PAGE):
        for shown, smaller in SMALLER.items():
            line = line.replace(shown, smaller)
        result = run_command(*shlex.split(line)[1:], cwd=tmp_path, cache=cache, pool=pool)
        assert result.code == 0, f"{line}\n{result.stderr}"
