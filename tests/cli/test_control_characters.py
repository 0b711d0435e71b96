"""Names and texts of files command no terminal: what it would act on is shown as an escape."""

import contextlib
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from rich.live import Live
from rich.table import Table

from tests.cli.conftest import Result, Run, run_command, write_images
from tests.pools import stub_pool
from tuner.cli.output import make_table, show
from tuner.cli.terminal import Console, Text, write
from tuner.path_names import visible
from tuner.results.tables import rows_table

# Writes the clipboard, rings, clears the screen, moves the cursor, deletes, turns text around, ends lines.
HOSTILE = "a\x1b]52;c;QUFBQQ==\x07b\x9b2J\x08\x0b\x0c\x7f\u202ec\u2066d\u2028e\u2029\rf"
ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SHOWN = ("\\x1b", "\\x07", "\\x9b", "\\x08", "\\x0c", "\\x7f", "\\u202e", "\\u2066", "\\u2028", "\\r")
SPACE = f"""
import keras

def build(hp, spec):
    units = hp.Int({"units" + HOSTILE!r}, 1, 4)
    kind = hp.Choice("kind", ["a", {HOSTILE!r}])
    if units == 1 and kind != "a":
        raise ValueError({HOSTILE!r})
    hidden = keras.layers.Dense(units, "relu" if kind == "a" else "tanh")
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), hidden]
    output = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input(spec.image_shape), *layers, output])
    model.compile("sgd", loss="binary_crossentropy", metrics=["accuracy"])
    return model
"""


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(action: Callable[[], object]) -> str:
    """What an action prints where stdout is a terminal."""
    with contextlib.redirect_stdout(Terminal(newline="")) as file:
        action()
    return file.getvalue()


def console(color_system: Literal["standard"] | None = None) -> Console:
    file = Terminal(newline="")
    return Console(file=file, force_terminal=True, color_system=color_system, width=300)


def printed(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[Path, Result]:
    """A search whose space, classes and error have such names; and its run, which was given such a name."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "space.py").write_text(SPACE, "utf-8")
    write_images(folder / "data", (f"FAKE{HOSTILE}", "REAL"), 20)
    request = (
        "--algorithm",
        "grid",
        "--max-epochs",
        1,
        "--max-trials",
        6,
        "--max-failures",
        9,
        "--name",
        "first",
    )
    result = run_command(
        *("search", "--space", "space.py", "--data", "data", *request),
        cwd=folder,
        cache=cache,
        pool=stub_pool(lambda _, epoch: epoch / 100),
    )
    assert result.code == 0, result.stderr
    (folder / "results" / "first").rename(folder / "results" / HOSTILE)
    return folder, result


@pytest.fixture(scope="module")
def received(searched: tuple[Path, Result]) -> Path:
    """The folder of that run and of a copy with a plain name."""
    folder = searched[0]
    shutil.copytree(folder / "results" / HOSTILE, folder / "results" / "other")
    return folder


def test_a_search_shows_them(searched: tuple[Path, Result]) -> None:
    result = searched[1]
    for text in (result.stdout, result.stderr):
        assert "\\x1b]52" in text
        assert not ACTED_ON.search(text)


@pytest.mark.parametrize("command", ["runs", "leaderboard", "best", "best --format toml", "compare other"])
def test_a_run_of_somebody_else_is_shown(tuner: Run, received: Path, command: str) -> None:
    result = tuner(*command.split(), *([] if command == "runs" else [HOSTILE]), cwd=received)
    assert re.search(r"\\(x|u00)1b]52", result.stdout)
    assert not ACTED_ON.search(result.stdout + result.stderr)


@pytest.mark.parametrize("arguments", [["best", f"no{HOSTILE}"], [HOSTILE], ["runs", f"--{HOSTILE}"]])
def test_an_error_line_shows_what_it_repeats(tuner: Run, received: Path, arguments: list[str]) -> None:
    result = tuner(*arguments, cwd=received)
    assert result.code == 2
    assert "\\x1b" in result.stderr
    assert not ACTED_ON.search(result.stderr)


@pytest.mark.parametrize("made", [Text, str])
def test_nothing_is_dropped_and_styles_survive(made: Callable[[str], Text | str]) -> None:
    shown = console("standard")
    shown.print(made(HOSTILE), style="bold red")
    start, end = "\x1b[1;31m", "\x1b[0m"
    assert printed(shown).startswith(start)
    inside = printed(shown).removeprefix(start).rpartition(end)[0]
    assert not ACTED_ON.search(inside)
    assert [name for name in SHOWN if name not in inside] == []


def test_a_live_display_shows_names() -> None:
    shown = console()
    table = Table(HOSTILE)
    table.add_row(HOSTILE)
    with Live(table, console=shown, auto_refresh=False):
        shown.print(Text.assemble("1 ", (HOSTILE, "red")))
    assert printed(shown).count(visible(HOSTILE)) >= 3
    # The display itself hides the cursor and moves it.
    assert not {"\x1b]", "\x9b", "\x07", "\u202e"} & {*re.findall(r"\x1b.|.", printed(shown))}


def test_names_are_no_markup() -> None:
    shown = console("standard")
    table = Table("[red]class[/red]")
    table.add_row("[link=https://example.org]a[/link] :smile:")
    shown.print(table)
    assert "[red]class[/red]" in printed(shown)
    assert "[link=https://example.org]a[/link] :smile:" in printed(shown)


def test_columns_are_as_wide_as_what_is_shown() -> None:
    shown = console()
    shown.print(make_table(rows_table([{"class": HOSTILE, "images": 1}, {"class": "b", "images": 22}])))
    assert len({len(line) for line in printed(shown).splitlines()}) == 1


def test_csv_is_exact_but_on_a_terminal() -> None:
    frame = rows_table([{"class": HOSTILE}])
    with contextlib.redirect_stdout(io.StringIO(newline="")) as piped:
        show(frame, "csv")
    assert HOSTILE in piped.getvalue()
    shown = on_terminal(lambda: show(frame, "csv"))
    assert visible(HOSTILE) in shown
    assert not ACTED_ON.search(shown)


def test_json_holds_the_same_values_in_characters_that_do_nothing() -> None:
    rows = [{HOSTILE: f"{HOSTILE}\udce9"}]
    text = on_terminal(lambda: show(rows_table(rows), "json"))
    assert json.loads(text) == rows
    assert not ACTED_ON.search(text)


def test_lines_and_tabs_of_a_layout_stay() -> None:
    assert on_terminal(lambda: write("a\tb\nü 漢字\n")) == "a\tb\nü 漢字\n"
