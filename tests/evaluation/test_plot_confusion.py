"""The confusion matrix of many classes, and of classes with unusual names."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.font_manager import fontManager
from PIL import Image

from tuner.evaluation import plot_names
from tuner.evaluation.plot_confusion import write_confusion_csv, write_confusion_png
from tuner.evaluation.plot_names import BOX, drawn_names, font_note

# A character of a font that comes with matplotlib, and not of the default one.
RARE = "⌚"
NOWHERE = "犬"


@pytest.fixture
def few_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the fonts that come with matplotlib, on any machine."""
    own = [font for font in fontManager.ttflist if "mpl-data" in str(font.fname)]
    monkeypatch.setattr(fontManager, "ttflist", own)
    plot_names._fonts.cache_clear()


def evaluation(*names: str) -> dict[str, Any]:
    matrix = 3 * np.eye(len(names), dtype=int) + np.eye(len(names), k=1, dtype=int)
    return {
        "class_names": list(names),
        "confusion_matrix": matrix.tolist(),
        "accuracy": 0.75,
        "accuracy_interval_95": [0.7, 0.8],
        "images": int(matrix.sum()),
    }


def many(count: int) -> dict[str, Any]:
    return evaluation(*(f"n{k:05d}" for k in range(count)))


@pytest.mark.parametrize("count", [20, 150])
def test_many_classes_are_colours_without_numbers_in_a_picture_of_one_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(Axes, "text", lambda *_, **__: pytest.fail("a number in a cell"))
    write_confusion_png(tmp_path / "m.png", many(count), "title")
    with Image.open(tmp_path / "m.png") as picture:
        assert max(picture.size) < 1600


def test_few_classes_have_a_count_and_a_share_in_each_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    original = Axes.text

    def text(axes: Axes, x: float, y: float, s: str, **options: Any) -> Any:
        drawn.append(s)
        return original(axes, x, y, s, **options)

    monkeypatch.setattr(Axes, "text", text)
    write_confusion_png(tmp_path / "m.png", evaluation("ant", "bee"), "title")
    assert drawn == ["3", "75.0%", "1", "25.0%", "0", "0.0%", "3", "100.0%"]


@pytest.mark.usefixtures("few_fonts")
def test_names_in_any_script_and_with_signs_of_formulas_are_drawn_without_a_warning(tmp_path: Path) -> None:
    # Warnings are errors in tests.
    names = (NOWHERE, "$x_{", "a$b$", "_hidden", "name\\x0aline", RARE, "long " * 60, "👩\u200d🔬")
    write_confusion_png(tmp_path / "m.png", evaluation(*names), "title")
    with drawn_names(names) as shown:
        assert shown(NOWHERE) == BOX
        assert shown(RARE) == RARE
        assert len(shown("long " * 60)) < 40


@pytest.mark.usefixtures("few_fonts")
def test_the_characters_that_no_font_has_are_named_once() -> None:
    note = font_note((f"{NOWHERE}{NOWHERE}", RARE, "plain"))
    assert note is not None
    assert note.count(NOWHERE) == 1
    assert RARE not in note
    assert font_note(("café", RARE)) is None


def test_the_table_has_the_whole_matrix_with_names_as_they_are(tmp_path: Path) -> None:
    names = ("true_class", 'it\'s, "ok"', "犬")
    write_confusion_csv(tmp_path / "m.csv", evaluation(*names))
    with (tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["true_class", *names]
    assert rows[0] == ["true_class", "3", "1", "0"]
    assert rows[2] == ["犬", "0", "0", "3"]
