"""The built-in data set: what it promises of itself."""

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tuner.data.audit import audit
from tuner.data.dataset import Dataset, load_dataset
from tuner.sources import opening

ROOT = Path(__file__).resolve().parents[2]
PACKED = Path(opening.__file__).parent / opening.DEMO_FILE
CHANCE = 0.62


@pytest.fixture(scope="module")
def demo() -> Dataset:
    return load_dataset("demo")


def test_it_is_no_larger_than_four_mebibytes() -> None:
    assert PACKED.stat().st_size <= 4 * 2**20


def test_it_has_the_layout_and_the_classes_of_cifake(demo: Dataset) -> None:
    assert demo.class_names == ("FAKE", "REAL")
    assert demo.positive_class == "FAKE"
    assert demo.image_shape == (32, 32, 3)
    assert demo.counts()["test"] == {"FAKE": 800, "REAL": 800}
    assert len(demo.labels) == 8000
    assert demo.skipped == ()


def test_no_property_of_the_files_tells_the_classes_apart(demo: Dataset) -> None:
    findings = audit(demo)
    assert findings.duplicates == ()
    assert all(shortcut.auroc < CHANCE for shortcut in findings.shortcuts)


def test_mean_colour_does_not_tell_the_classes_apart(demo: Dataset) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    colours = demo.images.mean(axis=(1, 2))
    train, test = (demo.splits[name] for name in ("train", "test"))
    with threadpool_limits(1):  # beside other tests, its threads wait for one another
        probe = HistGradientBoostingClassifier(random_state=0).fit(colours[train], demo.labels[train])
        assert np.mean(probe.predict(colours[test]) == demo.labels[test]) < CHANCE


def test_it_is_unpacked_once_and_again_when_the_copy_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_CACHE_DIR", str(tmp_path))
    opening.open_source("demo")
    (copy,) = tmp_path.glob("demo-*/demo.zip")
    first = copy.stat().st_mtime_ns
    opening.open_source("demo")
    assert copy.stat().st_mtime_ns == first
    copy.write_bytes(b"")
    opening.open_source("demo")
    assert zipfile.is_zipfile(copy)


@pytest.mark.slow
@pytest.mark.xfail(
    strict=True, reason="the joint probe reaches AUROC 0.628, over the bound of 0.62; see DEMO.md"
)
def test_it_is_fair_and_neither_easy_nor_hard() -> None:
    subprocess.run([sys.executable, "scripts/probe_demo_set.py"], cwd=ROOT, check=True)
