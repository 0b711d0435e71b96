"""`tuner predict`: images of all kinds, named in all ways."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pexpect
import pytest
from PIL import Image

from tests.analysis.finished_runs import finished_run
from tests.cli.conftest import SIDE, Result, Run, command, environment
from tuner.results.evaluation_file import write_evaluation

pytestmark = pytest.mark.training

FACTS = {
    "class_names": ["FAKE", "REAL"],
    "positive_class": "FAKE",
    "threshold": 0.25,
    "temperature": 2.0,
    "trained_on": None,
}


def save_model(path: Path, outputs: int = 1, **facts: object) -> Path:
    """A model whose probability of the last class is that of the brightness, with its JSON."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    head = (
        layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.Constant(0.05))
        if outputs == 1
        else layers.Dense(outputs, "softmax")
    )
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1.0, offset=-120.0),
            layers.GlobalAveragePooling2D(),
            head,
        ]
    )
    loss = "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"
    model.compile("sgd", loss=loss)
    model.save(path)
    path.with_suffix(".json").write_text(json.dumps({**FACTS, **facts}))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with model.keras, plain.keras and three.keras."""
    found = tmp_path_factory.mktemp("models")
    save_model(found / "model.keras")
    save_model(found / "plain.keras", threshold=None, temperature=None)
    save_model(
        found / "three.keras", 3, class_names=["ant", "bee", "cat"], positive_class=None, threshold=None
    )
    return found


@pytest.fixture
def at(tuner: Run, folder: Path):
    def run(*arguments, **variables):
        return tuner("predict", *arguments, cwd=folder, **variables)

    return run


def rows(result: Result):
    assert result.code == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def numbers(found, name="FAKE"):
    return np.array([float(row[f"p.{name}"]) for row in found])


def threshold_line(result: Result) -> str:
    (line,) = [line for line in result.error_lines if line.startswith("Threshold")]
    return line


def test_each_image_is_a_row_in_order(at, images):
    found = rows(at("model.keras", images / "test/REAL", images / "test/FAKE/000.png", "--format", "csv"))
    assert list(found[0]) == ["path", "prediction", "p.FAKE", "p.REAL", "error"]
    expected = [f"{images}/test/REAL/{i:03d}.png" for i in range(30)] + [f"{images}/test/FAKE/000.png"]
    assert [row["path"] for row in found] == expected
    assert numbers(found) + numbers(found, "REAL") == pytest.approx(1)
    assert {row["error"] for row in found} == {""}


def test_probabilities_are_those_of_an_evaluation(at, tuner, folder, images, tmp_path):
    found = rows(at("model.keras", images / "test", "--format", "csv"))
    out = tmp_path / "out"
    judged = tuner("evaluate", "model.keras", "--data", images, "--out", out, cwd=folder)
    assert judged.code == 0, judged.stderr
    with (out / "predictions.csv").open() as file:
        expected = {f"{images}/{row['path']}": float(row["p.FAKE"]) for row in csv.DictReader(file)}
    assert [row["path"] for row in found] == sorted(expected)
    assert numbers(found) == pytest.approx([expected[row["path"]] for row in found], abs=1e-6)
    fake = json.loads((out / "evaluation.json").read_text())["at_threshold"]["confusion_matrix"]
    assert sum(row["prediction"] == "FAKE" for row in found) == sum(row[0] for row in fake)


def test_the_formats_say_the_same(at, images):
    as_csv = rows(at("model.keras", images / "test/FAKE", "--format", "csv"))
    lines = at("model.keras", images / "test/FAKE", "--format", "jsonl").stdout.splitlines()
    as_lines = [json.loads(line) for line in lines]
    assert json.loads(at("model.keras", images / "test/FAKE", "--format", "json").stdout) == as_lines
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in as_lines] == as_csv
    table = at("model.keras", images / "test/FAKE").stdout.splitlines()
    assert table[0].split() == ["path", "prediction", "p.FAKE", "p.REAL"]
    first = as_lines[0]
    assert table[1].split() == [
        first["path"],
        first["prediction"],
        f"{first['p.FAKE']:.4f}",
        f"{first['p.REAL']:.4f}",
    ]


def test_the_threshold_is_the_one_chosen_on_validation(at, images):
    result = at("model.keras", images / "test", "--format", "csv")
    found = rows(result)
    assert [row["prediction"] == "FAKE" for row in found] == (numbers(found) >= 0.25).tolist()
    assert all(words in threshold_line(result) for words in ("0.2500", "p.FAKE", "validation"))


def test_without_one_it_is_a_half(at, images):
    result = at("plain.keras", images / "test", "--format", "csv")
    found = rows(result)
    assert [row["prediction"] == "FAKE" for row in found] == (numbers(found) > 0.5).tolist()
    assert all(words in threshold_line(result) for words in ("0.5", "none"))


def test_a_threshold_can_be_given(at, images):
    found = rows(at("model.keras", images / "test", "--threshold", 0.9, "--format", "csv"))
    assert [row["prediction"] == "FAKE" for row in found] == (numbers(found) >= 0.9).tolist()


def test_calibrated_probabilities_decide_the_same(at, images):
    own = rows(at("model.keras", images / "test", "--format", "csv"))
    result = at("model.keras", images / "test", "--calibrated", "--format", "csv")
    mended = rows(result)
    odds = numbers(own) / numbers(own, "REAL")
    assert numbers(mended) / numbers(mended, "REAL") == pytest.approx(np.sqrt(odds), rel=1e-4)
    assert [row["prediction"] for row in mended] == [row["prediction"] for row in own]
    assert "temperature 2.000" in result.stderr


def test_of_more_classes_the_most_probable_counts(at, images):
    found = rows(at("three.keras", images / "test", "--format", "csv"))
    assert len(found) == 60
    for row in found:
        assert float(row[f"p.{row['prediction']}"]) == max(
            float(row[f"p.{n}"]) for n in ("ant", "bee", "cat")
        )


def test_a_broken_image_is_a_row_with_an_error(at, images, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    result = at("model.keras", tmp_path / "broken.png", images / "test/FAKE/000.png", "--format", "jsonl")
    assert result.code == 0
    broken, whole = map(json.loads, result.stdout.splitlines())
    assert "not an image" in broken["error"]
    assert broken["prediction"] is broken["p.FAKE"] is broken["p.REAL"] is None
    assert whole["error"] is None
    assert "1 with an error" in result.stderr


def test_nothing_readable_is_a_failure_after_its_rows(at, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    result = at("model.keras", tmp_path, "--quiet")
    assert result.code == 1
    assert "error: not an image" in result.stdout
    (line,) = result.error_lines
    assert line.startswith("error: ")
    assert "none of 1 " in line


def test_paths_come_from_standard_input(at, images, monkeypatch):
    lines = f"{images}/test/FAKE/001.png\n\n{images}/nowhere.png\r\n{images}/test/REAL\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    found = rows(at("model.keras", "-", "--format", "csv"))
    assert len(found) == 32
    assert [row["error"] for row in found[:2]] == ["", "No such file or directory"]


def test_empty_standard_input_is_a_failure(at, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    result = at("model.keras", "-", "--format", "json", "--quiet")
    assert (result.code, json.loads(result.stdout)) == (1, [])
    (line,) = result.error_lines
    assert "standard input" in line


def test_a_pattern_and_an_archive_will_do(at, images, tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.write(images / "test/FAKE/000.png", "flat.png")
    found = rows(at("model.keras", f"{images}/**/000.png", tmp_path / "z.zip", "--format", "csv"))
    names = [f"{images}/{name}/000.png" for name in ("test/FAKE", "test/REAL", "train/FAKE", "train/REAL")]
    assert [row["path"] for row in found] == [*names, f"{tmp_path}/z.zip/flat.png"]
    assert found[0]["p.FAKE"] == found[-1]["p.FAKE"]


def test_a_run_stands_for_its_winner(tuner, folder, images, tmp_path):
    run = finished_run(tmp_path / "results" / "mine")
    (tmp_path / "results/mine/best/model.keras").write_bytes((folder / "model.keras").read_bytes())
    write_evaluation(tmp_path / "results/mine/best", run.evaluation)
    of_run = rows(tuner("predict", "mine", images / "test/FAKE", "--format", "csv"))
    of_file = rows(tuner("predict", folder / "model.keras", images / "test/FAKE", "--format", "csv"))
    assert numbers(of_run) == pytest.approx(numbers(of_file))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nowhere.keras", "x.png"), "file 'nowhere.keras'"),
        (("nowhere", "x.png"), "runs in 'results'"),
        (("model.keras", "x.png"), "'x.png'"),
        (("model.keras", "x/**/*.png"), "pattern 'x/**/*.png'"),
        (("model.keras",), "Missing argument"),
        (("model.keras", ".", "--threshold", 1.5), "threshold 1.5"),
        (("three.keras", ".", "--threshold", 0.5), " 3"),
        (("plain.keras", ".", "--calibrated"), "temperature"),
    ],
)
def test_a_bad_request_is_one_line_and_starts_nothing(at, arguments, problem):
    result = at(*arguments)
    assert (result.code, result.stdout) == (2, "")
    (line,) = result.error_lines
    assert problem in line


def test_quiet_leaves_nothing_on_stderr(at, images):
    assert at("model.keras", images / "test/FAKE", "--quiet").stderr == ""


def test_nothing_is_written(at, folder, images):
    before = sorted(folder.rglob("*"))
    at("model.keras", images / "test/FAKE")
    assert sorted(folder.rglob("*")) == before


def of_a_user(cache):
    """The environment of the command, without the level of logging that Keras has set in this process."""
    return {name: value for name, value in environment(cache).items() if name != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.mark.process
def test_a_reader_that_has_enough_ends_it_quietly(folder, images, cache):
    process = subprocess.Popen(
        command("predict", "model.keras", "-", "--format", "jsonl", "--quiet"),
        cwd=folder,
        env=of_a_user(cache),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    process.stdin.write(f"{images}/test/FAKE/000.png\n".encode() * 100)
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


def at_terminal(folder, cache, *arguments):
    """Run `tuner predict` in a shell at a terminal; return what it showed."""
    shell = f"{shlex.join([sys.executable, '-m', 'tuner', 'predict'])} {' '.join(map(str, arguments))}"
    shown, code = pexpect.run(
        f"/bin/sh -c {shlex.quote(shell)}",
        cwd=str(folder),
        env={**of_a_user(cache), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        encoding="utf-8",
        timeout=120,
        withexitstatus=True,
    )
    assert code == 0, shown
    return shown


@pytest.mark.process
def test_a_terminal_shows_rows_and_a_bar(folder, images, cache):
    shown = at_terminal(folder, cache, "model.keras", images / "test")
    assert re.search("path +prediction.*REAL/029.png.*60/60.*Predicted +60 images", shown, re.DOTALL)


@pytest.mark.process
def test_rows_go_to_a_file_while_the_terminal_shows_the_bar(folder, images, cache, tmp_path):
    target = tmp_path / "rows.csv"
    shown = at_terminal(folder, cache, "model.keras", images / "test", "--format csv >", target)
    assert "60/60" in shown
    assert "029.png" not in shown
    assert len(target.read_text().splitlines()) == 61


def test_arrays_are_predicted_whatever_their_labels_and_changes_of_pixels_are_said(at, images, tmp_path):
    files = [images / f"test/{name}/000.png" for name in ("FAKE", "REAL")]
    pictures = np.stack([np.asarray(Image.open(file)) for file in files])
    np.savez(tmp_path / "new.npz", x_test=pictures / 255, y_test=[7, 7])
    result = at("model.keras", tmp_path / "new.npz", "--format", "csv")
    found = rows(result)
    assert [row["path"] for row in found] == ["x_test[0]", "x_test[1]"]
    of_files = rows(
        at("model.keras", *(images / f"test/{name}/000.png" for name in ("FAKE", "REAL")), "--format", "csv")
    )
    assert numbers(found) == pytest.approx(numbers(of_files))
    assert [line for line in result.error_lines if "x_test" in line and "0..255" in line]
