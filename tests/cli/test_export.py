"""`tuner best --export`: files for others, each compared with the model and described."""

import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.cli.conftest import Run, write_images
from tuner.results.query import open_run
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store

pytestmark = pytest.mark.training

NO_ONNX = importlib.util.find_spec("tf2onnx") is None or importlib.util.find_spec("onnxruntime") is None
ONNX = pytest.param("model.onnx", marks=pytest.mark.skipif(NO_ONNX, reason="the extra onnx is not installed"))
TARGETS = ["model.keras", "model.tflite", "model", ONNX]


@pytest.fixture
def work(copy_of_finished: Path) -> Path:
    """A folder of its own with results/first; its images are where they were."""
    return copy_of_finished


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"results"}


@pytest.mark.parametrize("target", TARGETS)
def test_an_export_states_its_difference_and_is_evaluated_like_the_run(tuner: Run, work, images, target):
    result = tuner("best", "--export", target)
    assert result.code == 0, result.stderr
    (parity,) = [line for line in result.error_lines if line.startswith("Parity")]
    difference, count, allowed = map(float, re.findall(r"\d[\d.]*(?:e[+-]\d+)?", parity))
    assert (count, allowed) == (24, 1e-3)
    assert difference <= allowed
    assert left(work) == {target, "model.md"} | ({"model.json"} if target == "model.keras" else set())
    shown = tuner("evaluate", target, "--data", images, "--format", "json", "--trust")
    assert shown.code == 0, shown.stderr
    found, before = (
        json.loads(shown.stdout),
        json.loads((work / "results/first/best/evaluation.json").read_text()),
    )
    assert found["confusion_matrix"] == before["confusion_matrix"]
    assert found["at_threshold"]["threshold"] == before["at_threshold"]["threshold"]
    assert found["log_loss"] == pytest.approx(before["log_loss"], abs=1e-4)


@pytest.mark.parametrize("target", TARGETS)
def test_a_calibrated_export_has_the_probabilities_at_the_temperature(tuner: Run, work, images, target):
    before = json.loads((work / "results/first/best/evaluation.json").read_text())
    result = tuner("best", "--export", target, "--calibrated")
    assert result.code == 0, result.stderr
    assert f"temperature {before['calibrated']['temperature']:.4g}" in result.stderr
    shown = tuner("evaluate", target, "--data", images, "--format", "json", "--trust")
    found = json.loads(shown.stdout)
    for figure in ("log_loss", "brier", "ece"):
        assert found[figure] == pytest.approx(before["calibrated"][figure], abs=1e-4)
    assert found["calibrated"]["temperature"] == 1
    assert found["at_threshold"]["confusion_matrix"] == before["at_threshold"]["confusion_matrix"]


@pytest.mark.parametrize(
    ("target", "files"),
    [
        ("cifake.v2.keras", {"cifake.v2.keras", "cifake.v2.json", "cifake.v2.md"}),
        ("model-0.96.tflite", {"model-0.96.tflite", "model-0.96.md"}),
        ("v1.2/", {"v1.2", "v1.2.md"}),
    ],
)
def test_a_point_in_the_name_of_an_export_is_part_of_it(tuner: Run, work, images, target, files):
    result = tuner("best", "--export", f"models/{target}")
    assert result.code == 0, result.stderr
    assert left(work / "models") == files
    (card,) = (work / "models").glob("*.md")
    assert card.read_text("utf-8").startswith(f"# {card.name.removesuffix('.md')}\n")
    assert f"| {target.rstrip('/')} |" in card.read_text("utf-8")
    shown = tuner("evaluate", f"models/{target}", "--data", images, "--format", "json", "--trust")
    assert json.loads(shown.stdout)["class_names"] == ["FAKE", "REAL"]


def test_a_calibrated_keras_file_loads_without_this_program(tuner: Run, work):
    import keras

    tuner("best", "--export", "model.keras", "--calibrated")
    model = keras.models.load_model(work / "model.keras", compile=False)
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    assert model(np.zeros((1, 8, 8, 3), "float32")).shape == (1, 1)


def test_the_card_tells_what_the_model_rests_on_and_how_to_use_each_file(tuner: Run, work):
    tuner("best", "--export", "model.keras")
    tuner("best", "--export", "model.tflite", "--calibrated")
    card = (work / "model.md").read_text("utf-8")
    run = json.loads((work / "results/first/run.json").read_text())
    tested = json.loads((work / "results/first/best/evaluation.json").read_text())["trial_id"]
    (best,) = [trial for trial in open_run(work / "results/first").trials if trial.trial_id == tested]
    for words in (
        run["data"]["fingerprint"],
        run["versions"]["keras"],
        "95 % interval",
        f"| filters | {best.values['filters']} |",
        "## Limits",
        "| model.keras | Keras |",
        "| model.tflite | TensorFlow Lite |",
        "keras.models.load_model('model.keras', compile=False)",
        "Interpreter(model_path='model.tflite')",
    ):
        assert words in card
    assert str(work) not in card
    for code in re.findall(r"```python\n(.*?)```", card, re.S):
        assert len(code.strip().splitlines()) < 20
        compile(code, "card", "exec")


def test_code_of_the_card_gives_the_probabilities_of_the_run(tuner: Run, work, images, monkeypatch, capsys):
    tuner("best", "--export", "model.keras")
    first = pd.read_csv(work / "results/first/best/predictions.csv").iloc[0]
    shutil.copy(images / first["path"], work / "image.png")
    (code,) = re.findall(r"```python\n(.*?)```", (work / "model.md").read_text("utf-8"), re.S)
    monkeypatch.chdir(work)
    capsys.readouterr()
    exec(code.replace("model.predict(image)", "float(model.predict(image, verbose=0)[0, 0])"), {})
    assert float(capsys.readouterr().out) == pytest.approx(first["p.REAL"], abs=1e-4)


def test_code_of_the_card_turns_an_image_upright_and_lays_it_on_white(tuner: Run, work, monkeypatch, capsys):
    tuner("best", "--export", "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (9, 30, 4), np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(work / "image.png", exif=turned)
    shown = json.loads(tuner("predict", "model.keras", "image.png", "--format", "json").stdout)
    (code,) = re.findall(r"```python\n(.*?)```", (work / "model.md").read_text("utf-8"), re.S)
    monkeypatch.chdir(work)
    capsys.readouterr()
    exec(code.replace("model.predict(image)", "float(model.predict(image, verbose=0)[0, 0])"), {})
    assert float(capsys.readouterr().out) == pytest.approx(shown[0]["p.REAL"], abs=1e-5)


def test_an_export_of_an_earlier_best_epoch_is_not_on_the_card(tuner: Run, work):
    tuner("best", "--export", "model.keras")
    path = work / "model.json"
    facts = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**facts, "best_epoch": facts["best_epoch"] + 1}), "utf-8")
    tuner("best", "--export", "model/")
    card = (work / "model.md").read_text("utf-8")
    assert "| model |" in card
    assert "model.keras" not in card


def test_the_card_says_where_the_keras_file_gives_logits(tuner: Run, work):
    import keras

    tuner("best", "--export", "model.keras")
    card = (work / "model.md").read_text("utf-8")
    assert "that of REAL" in card
    assert "logits" not in card
    path = work / "results/first/best/model.keras"
    model = keras.models.load_model(path, compile=False)
    model.layers[-1].activation = keras.activations.linear
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    model.save(path)
    assert tuner("best", "--export", "model.keras").code == 0
    card = (work / "model.md").read_text("utf-8")
    assert all(word in card for word in ("logits", "softmax", "sigmoid"))


def test_exports_of_one_name_share_a_card_though_it_has_a_point(tuner: Run, work):
    for target in ("v1.2.keras", "v1.2/", "v1.keras"):
        assert tuner("best", "--export", target).code == 0
    card = (work / "v1.2.md").read_text("utf-8")
    assert "| v1.2.keras |" in card
    assert "| v1.2 |" in card
    assert "v1.2" not in (work / "v1.md").read_text("utf-8")


def test_a_difference_too_large_is_refused_and_leaves_nothing(tuner: Run, work, monkeypatch):
    from tuner.models import runtimes

    predict = runtimes.Runtime.predict
    monkeypatch.setattr(runtimes.Runtime, "predict", lambda *given: predict(*given) + 0.002)
    result = tuner("best", "--export", "deep/model/")
    assert result.code == 1
    assert all(words in result.error_lines[-1] for words in ("not exported", "differ"))
    assert left(work) == set()


def test_what_its_runtime_does_not_load_is_refused_and_leaves_nothing(tuner: Run, work, monkeypatch):
    from tuner.models import runtimes

    def refuse(path):
        raise ValueError(f"{path}: no operation Erfc")

    monkeypatch.setitem(runtimes._LOADERS, "tflite", refuse)
    result = tuner("best", "--export", "model.tflite")
    assert result.code == 1
    (line,) = result.error_lines
    assert "model.tflite: no operation Erfc" in line
    assert str(work) not in line
    assert left(work) == set()


def test_a_model_that_gives_no_numbers_is_refused(tuner: Run, work, monkeypatch):
    from tuner.models import runtimes

    monkeypatch.setattr(runtimes.Runtime, "predict", lambda *given: np.full((len(given[2]), 2), np.nan))
    assert tuner("best", "--export", "model/").code == 1
    assert left(work) == set()


def test_without_its_images_a_run_gives_a_plain_copy_but_no_other_format(tuner: Run, work, images):
    store = Store(work / "results/first" / STORE_FILE)
    store.set_run({"data": {**store.run()["data"], "source": str(work / "gone")}})
    store.close()
    plain = tuner("best", "--export", "model.keras")
    assert plain.code == 0, plain.stderr
    (parity,) = [line for line in plain.error_lines if line.startswith("Parity")]
    assert "not compared" in parity
    refused = tuner("best", "--export", "model/")
    assert refused.code == 2
    assert "--data" in refused.stderr
    assert tuner("best", "--export", "model/", "--data", images).code == 0


def test_other_images_than_those_of_the_run_are_refused(tuner: Run, work):
    write_images(work / "others", count=20)
    result = tuner("best", "--export", "model.tflite", "--data", "others")
    assert result.code == 2
    assert all(words in result.error_lines[-1] for words in ("others", "'first'"))


def test_an_export_replaces_a_saved_model_but_no_other_folder(tuner: Run, work):
    assert tuner("best", "--export", "served/").code == 0
    assert tuner("best", "--export", "served/").code == 0
    (work / "mine").mkdir()
    (work / "mine" / "thesis.txt").write_text("mine")
    result = tuner("best", "--export", "mine")
    assert result.code == 2
    assert "mine" in result.error_lines[-1]
    assert (work / "mine" / "thesis.txt").read_text() == "mine"


@pytest.mark.usefixtures("work")
def test_a_missing_package_is_named_with_what_to_install(tuner: Run, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    result = tuner("best", "--export", "model.onnx")
    assert result.code == 2
    assert 'pip install "kt-search[onnx]"' in result.stderr
    assert len(result.error_lines) == 1


@pytest.mark.usefixtures("work")
def test_calibrated_without_an_export_is_refused(tuner: Run):
    result = tuner("best", "--calibrated")
    assert result.code == 2
    assert "--export model.keras" in result.stderr


def test_a_temperature_that_was_not_found_is_left_out_of_every_export(tuner: Run, work, images):
    path = work / "results/first/best/evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"calibrated": None}))
    refused = tuner("best", "--export", "model.keras", "--calibrated")
    assert refused.code == 2
    assert all(word in refused.stderr for word in ("20", "--calibrated"))
    assert left(work) == set()
    assert tuner("best", "--export", "model.keras").code == 0
    assert json.loads((work / "model.json").read_text())["temperature"] is None
    assert "did not converge" in (work / "model.md").read_text("utf-8")
    shown = tuner("evaluate", "model.keras", "--data", images, "--format", "json")
    assert json.loads(shown.stdout)["calibrated"] is None
    picture = next(Path(images).rglob("*.png"))
    assert tuner("predict", "model.keras", picture, "--calibrated").code == 2


def test_an_export_clears_what_a_killed_one_has_left_and_nothing_else(tuner: Run, work: Path) -> None:
    names = ("draft-folder-0123abcd", "draft-folder-of_mine", "draft-notes")
    for name, file in zip(names, ("owner.lock", "text", "owner.lock"), strict=True):
        (work / name).mkdir()
        (work / name / file).write_text("", "utf-8")
    result = tuner("best", "--export", "model.keras")
    assert result.code == 0, result.stderr
    assert left(work) == {"model.keras", "model.json", "model.md", *names[1:]}
