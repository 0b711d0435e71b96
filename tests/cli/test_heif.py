"""A photograph as a telephone makes it: HEIF, 12 million pixels, turned by its metadata."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.cli.conftest import Run
from tests.sources.pictures import photograph
from tuner.sources import heif

pytestmark = pytest.mark.training

ON_ITS_SIDE = 6


@pytest.fixture
def telephone(copy_of_finished: Path) -> Path:
    """A folder with a run, photo.heic, and photo.jpg of the same pixels and orientation."""
    pytest.importorskip("pillow_heif")
    heif.teach_pillow()
    image = photograph(1, 24).resize((4000, 3000), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = ON_ITS_SIDE
    fast = {"preset": "ultrafast"}
    image.save(copy_of_finished / "photo.heic", exif=exif.tobytes(), quality=60, enc_params=fast)
    image.save(copy_of_finished / "photo.jpg", exif=exif.tobytes(), quality=90)
    return copy_of_finished


def test_a_photograph_gives_one_prediction_as_heif_as_jpeg_and_by_the_card(
    tuner: Run, telephone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tuner("predict", "results/first/best/model.keras", "photo.heic", "photo.jpg", "--format", "csv")
    assert done.code == 0, done.stderr
    heic, jpeg = pd.read_csv(io.StringIO(done.stdout))["p.REAL"]
    assert heic == pytest.approx(jpeg, abs=0.02)
    assert tuner("best", "--export", "model.keras").code == 0
    (code,) = re.findall(r"```python\n(.*?)```", (telephone / "model.md").read_text("utf-8"), re.S)
    monkeypatch.chdir(telephone)
    capsys.readouterr()
    exec(code.replace("image.png", "photo.heic"), {})
    by_the_card = re.findall(r"0\.\d+", capsys.readouterr().out)[-1]
    assert float(by_the_card) == pytest.approx(heic, abs=1e-4)
