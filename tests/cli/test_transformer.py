"""A vision transformer from the search to its report: what it looked at, and what its data give away."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.training

SMALL = {"patch_size": 2, "width": 64, "depth": 2, "heads": 2, "mlp_ratio": 2, "batch_size": 32}


def test_what_a_transformer_looked_at_is_in_its_report(tuner: Run, images: Path, tmp_path: Path) -> None:
    values = [part for name, value in SMALL.items() for part in ("--hp", f"{name}={value}")]
    trained = tuner("train", "--space", "vit", "--data", images, "--max-epochs", 1, "--name", "vit", *values)
    assert trained.code == 0, trained.stderr
    assert "mean brightness tells FAKE apart" in trained.stderr
    facts = json.loads((tmp_path / "results/vit/run.json").read_text("utf-8"))
    assert (facts["shortcuts"][0]["feature"], facts["shortcuts"][0]["of"]) == ("mean brightness", "images")
    assert tuner("report").code == 0
    page = (tmp_path / "results/vit/report.html").read_text("utf-8")
    assert "attention rollout" in page
    assert 'class="heat"' in page
    assert "Grad-CAM" not in page
    caution = re.sub("<[^>]+>", " ", page[page.index('<aside class="caution"') : page.index("</aside>")])
    assert "mean brightness FAKE" in " ".join(caution.split())
    assert "tuner evaluate vit --robustness" in page
