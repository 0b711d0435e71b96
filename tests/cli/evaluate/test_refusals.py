"""What `tuner evaluate` cannot do is said in one line."""

import shutil

import pytest

from tests.cli.conftest import SIDE, write_images
from tests.cli.evaluate.reading import save
from tuner.results.schema import STORE_FILE
from tuner.results.store import Store

pytestmark = pytest.mark.training


@pytest.fixture(scope="module", autouse=True)
def changed(searched, tmp_path_factory):
    """A run whose data are other images now."""
    run = shutil.copytree(searched / "results/first", searched / "results/changed")
    images = write_images(tmp_path_factory.mktemp("new") / "tiny", count=20)
    store = Store(run / STORE_FILE)
    store.set_run({"data": {**store.run()["data"], "source": str(images)}})
    store.close()
    yield
    shutil.rmtree(run)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing.keras", "--data", "DATA"), ["file", "'nothing.keras'"]),
        (("nothing", "--data", "DATA"), ["run", "'nothing'"]),
        (("model.keras",), ["--data", "missing"]),
        (("changed",), ["'changed'", "--data"]),
        ((), ["MODEL", "missing"]),
        (("first", "--data", "nowhere"), ["nowhere"]),
        (
            ("first", "--data", "DATA"),
            ["'generated'", "FAKE, REAL", "--map FAKE=generated,REAL=photo"],
        ),
        (
            ("first", "--data", "DATA", "--map", "generated=FAKE"),
            ["'generated'", "MODEL=DATA"],
        ),
        (
            ("first", "--data", "DATA", "--map", "FAKE=ai"),
            ["'ai'", "generated, photo"],
        ),
        (("first", "--data", "DATA", "--map", "FAKE"), ["--map 'FAKE'", "MODEL=DATA"]),
        (("first", "--data", "DATA", "--map", "FAKE=photo,REAL=photo"), ["twice"]),
        (("first", "--predictions", "p.csv"), ["MODEL", "--predictions"]),
        (("--predictions", "none.csv"), ["'none.csv'"]),
        (("--predictions", "PREDICTIONS", "--compare", "second"), ["predictions.csv"]),
        (("--predictions", "PREDICTIONS", "--threshold", "1.5"), ["threshold 1.5"]),
        (("--predictions", "PREDICTIONS", "--positive", "ai"), ["positive class 'ai'", "FAKE, REAL"]),
        (
            ("--predictions", "PREDICTIONS", "--compare", "VALIDATION"),
            ["validation_predictions.csv", "other images"],
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(at, searched, elsewhere, arguments, words):
    best = searched / "results/first/best"
    stand_ins = {
        "DATA": elsewhere,
        "PREDICTIONS": best / "predictions.csv",
        "VALIDATION": best / "validation_predictions.csv",
    }
    result = at("evaluate", *(stand_ins.get(argument, argument) for argument in arguments))
    assert result.code == 2
    assert result.stdout == ""
    (line,) = [line for line in result.error_lines if line.startswith("error: ")]
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("model", "classes", "words"),
    [
        ({"shape": (SIDE, SIDE, 4)}, "a,b", ["4 channels", "1 (grey) or 3"]),
        ({"shape": (SIDE, 2 * SIDE, 3)}, "a,b", ["square images"]),
        ({"outputs": 3}, "a,b", ["3 outputs", "2 classes"]),
        ({"outputs": 2}, "photo,REAL", ["class 'generated'", "--map MODEL=generated"]),
    ],
)
def test_a_model_that_does_not_fit_is_refused(at, elsewhere, tmp_path, model, classes, words):
    path = save(tmp_path / "own.keras", **model)
    result = at("evaluate", path, "--data", elsewhere, "--classes", classes)
    assert result.code == 2
    assert all(word in result.stderr for word in words), result.stderr


def test_more_classes_than_the_model_has_are_refused_by_name(at, tmp_path):
    write_images(tmp_path / "data", ("FAKE", "REAL", "drawing"), count=6)
    result = at("evaluate", "first", "--data", tmp_path / "data")
    assert result.code == 2
    assert "'drawing'" in result.error_lines[-1]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"class_names": 3}'])
def test_a_description_that_says_nothing_is_refused(at, searched, elsewhere, tmp_path, text):
    shutil.copy(searched / "model.keras", tmp_path / "model.keras")
    (tmp_path / "model.json").write_text(text)
    result = at("evaluate", tmp_path / "model.keras", "--data", elsewhere)
    assert result.code == 2
    (line,) = [line for line in result.error_lines if line.startswith("error: ")]
    assert all(word in line for word in (str(tmp_path / "model."), "class_names"))


def test_a_broken_model_file_is_refused(at, searched, elsewhere, tmp_path):
    (tmp_path / "model.keras").write_bytes(b"no model")
    shutil.copy(searched / "model.json", tmp_path / "model.json")
    result = at("evaluate", tmp_path / "model.keras", "--data", elsewhere)
    assert result.code == 2
    (line,) = [line for line in result.error_lines if line.startswith("error: ")]
    assert all(word in line for word in ("model.keras", "loaded"))
