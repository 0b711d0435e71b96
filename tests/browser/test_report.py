"""The page of a run in a real browser: what people do with it."""

from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import NARROW, WIDE, Open
from tests.report.reported import reported_run
from tuner.report.contents import read_contents
from tuner.report.page import write_report

pytestmark = pytest.mark.browser

SCHEMES = ("light", "dark")


def column(page: Any, number: int) -> list[str]:
    """Texts of a column of the leaderboard, of the rows that are shown."""
    texts: list[str] = page.locator(f".trials tbody tr:visible td:nth-child({number})").all_inner_texts()
    return texts


def heading(page: Any, key: str) -> Any:
    return page.locator(f'.trials th[data-key="{key}"]')


def contrast(page: Any, name: str) -> float:
    """Of a colour against the paper, 1 to 21.

    Source: Web Content Accessibility Guidelines 2.2, relative luminance and contrast ratio.
    """
    value: float = page.evaluate(
        """name => {
        const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
        const light = name => {
            canvas.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(
                v => v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const [low, high] = [light(name), light('--paper')].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    }""",
        name,
    )
    return value


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [WIDE, NARROW, (320, 700)])
def test_no_width_makes_the_page_scroll_sideways(
    show: Open, report: Path, size: tuple[int, int], scheme: str
) -> None:
    page = show(report, size, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_can_be_read_in_light_and_dark(show: Open, report: Path, scheme: str) -> None:
    page = show(report, color_scheme=scheme)
    assert all(contrast(page, name) >= 4.5 for name in ("--ink", "--dim", "--accent", "--winner"))


def test_paper_is_white_also_of_a_dark_screen(show: Open, report: Path) -> None:
    page = show(report, color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.emulate_media(media="print")
    assert page.evaluate(paper) != dark
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_heading_sorts_and_sorts_the_other_way_again(show: Open, report: Path) -> None:
    page = show(report)
    for direction, backwards in (("ascending", False), ("descending", True)):
        heading(page, "units").get_by_role("button").click()
        assert heading(page, "units").get_attribute("aria-sort") == direction
        numbers = [int(text) for text in column(page, 7)]
        assert numbers == sorted(numbers, reverse=backwards)
    assert heading(page, "rank").get_attribute("aria-sort") is None


def test_numbers_sort_as_numbers_and_what_is_missing_comes_last(show: Open, report: Path) -> None:
    page = show(report)
    heading(page, "learning_rate").get_by_role("button").click()
    rates = [float(text) for text in column(page, 9)]
    assert rates == sorted(rates)
    heading(page, "momentum").get_by_role("button").click()
    texts = column(page, 10)
    assert texts == [*sorted(filter(None, texts)), *[""] * texts.count("")]


def test_a_filter_leaves_the_rows_that_match_and_dims_the_others_in_the_plots(
    show: Open, report: Path
) -> None:
    page = show(report)
    page.get_by_label("Filter").fill("optimizer=adam units>20")
    assert set(column(page, 8)) == {"adam"}
    assert all(int(text) > 20 for text in column(page, 7))
    shown = len(column(page, 1))
    assert page.locator("#shown").inner_text() == f"{shown} of 30 trials"
    bright = page.locator("#progress .dot:not(.dim)").count()
    assert 0 < bright <= shown < page.locator("#progress .dot").count()
    page.get_by_role("button", name="Clear").click()
    assert len(column(page, 1)) == 30
    assert page.locator(".dim").count() == 0


@pytest.mark.parametrize("text", ["failed", "oom", "FAILED"])
def test_a_word_is_looked_for_in_all_columns(show: Open, report: Path, text: str) -> None:
    page = show(report)
    page.get_by_label("Filter").fill(text)
    assert column(page, 2) == ["0030"]


def test_a_filter_that_nothing_matches_says_so(show: Open, report: Path) -> None:
    page = show(report)
    page.get_by_label("Filter").fill("units<0")
    assert page.locator("#shown").inner_text() == "none of 30 trials"


def test_pointing_at_a_dot_tells_its_trial_and_marks_it_everywhere(show: Open, report: Path) -> None:
    page = show(report)
    dot = page.locator('#progress .marks-layer [data-trial="4"]')
    dot.scroll_into_view_if_needed()
    box = dot.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator("#tip").inner_text().startswith("Trial 0005")
    for plot in ("progress", "curves", "parallel"):
        assert page.locator(f'#{plot} .top [data-trial="4"]').count() > 0
    assert "on" in page.locator('.trials tr[data-trial="4"]').get_attribute("class")
    page.mouse.move(2, 2)
    assert page.locator("#tip").is_hidden()
    assert page.locator(".top [data-trial]").count() == 0


@pytest.mark.parametrize("plot", ["progress", "curves", "parallel", "roc", "calibration"])
def test_every_plot_can_be_read_by_keyboard(show: Open, report: Path, plot: str) -> None:
    page = show(report)
    holder = page.locator(f"#{plot} .plot")
    page.evaluate("id => document.querySelector(`#${id} .plot`).scrollIntoView({ block: 'center' })", plot)
    page.keyboard.press("Tab")
    holder.focus()
    page.keyboard.press("Home")
    first = page.locator("#tip").inner_text()
    page.keyboard.press("End")
    assert page.locator("#tip").inner_text() not in ("", first)
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()


def test_each_corruption_is_a_plot_that_can_be_read_by_keyboard(show: Open, report: Path) -> None:
    page = show(report)
    plots = page.locator("#corruptions .plot")
    assert plots.count() == 8
    plots.first.scroll_into_view_if_needed()
    page.keyboard.press("Tab")
    plots.first.focus()
    page.keyboard.press("Home")
    texts = [page.locator("#tip").inner_text()]
    page.keyboard.press("ArrowRight")
    texts.append(page.locator("#tip").inner_text())
    assert {text.splitlines()[0] for text in texts} == {"JPEG 90"}
    assert {text.splitlines()[1].split()[0] for text in texts} == {"AUROC", "accuracy"}
    assert all(text.splitlines()[2].startswith("untouched ") for text in texts)
    page.keyboard.press("End")
    assert page.locator("#tip").inner_text().startswith("JPEG 10\n")


def test_the_untouched_figures_are_lines_across_each_corruption(show: Open, report: Path) -> None:
    page = show(report)
    plot = page.locator("#corruptions .plot").nth(1)
    assert plot.locator(".untouched.accuracy").count() == plot.locator(".untouched.auroc").count() == 1
    assert plot.locator(".dot.accuracy").count() == plot.locator(".dot.auroc").count() == 5
    assert plot.locator(".band").count() == 2
    plot.scroll_into_view_if_needed()
    box = plot.locator(".dot.accuracy").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator("#tip").inner_text().startswith("blur 3\naccuracy")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_strengths_can_be_told_at_every_width(show: Open, report: Path, size: tuple[int, int]) -> None:
    page = show(report, size)
    texts = page.locator("#corruptions .plot text").all_text_contents()
    assert texts
    assert not [text for text in texts if "…" in text]


def test_a_pinned_trial_stays_marked(show: Open, report: Path) -> None:
    page = show(report)
    pin = page.get_by_role("button", name="0007")
    pin.press("Enter")
    page.mouse.move(2, 2)
    assert pin.get_attribute("aria-pressed") == "true"
    assert page.locator('#curves .top [data-trial="6"]').count() > 0
    pin.press("Enter")
    assert pin.get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_dragging_along_an_axis_keeps_the_trials_in_that_range(
    show: Open, report: Path, size: tuple[int, int]
) -> None:
    page = show(report, size)
    axis = page.locator("#parallel .hit").first
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    across = size == NARROW
    start = (box["x"] + 1, box["y"] + box["height"] / 2) if across else (box["x"] + 8, box["y"] + 1)
    end = (box["x"] + box["width"] / 2, start[1]) if across else (start[0], box["y"] + box["height"] / 2)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    units = [int(text) for text in column(page, 7)]
    assert 0 < len(units) < 30
    assert max(units) <= 34 if across else min(units) >= 31, units
    page.mouse.click(*end)
    assert len(column(page, 1)) == 30


def test_plots_have_another_axis_to_choose(show: Open, report: Path) -> None:
    page = show(report)
    for plot, name in (("progress", "by time"), ("roc", "logarithmic"), ("calibration", "at temperature")):
        button = page.locator(f"#{plot}").get_by_role("button", name=name)
        before = page.locator(f"#{plot} svg").inner_html()
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        assert page.locator(f"#{plot} svg").inner_html() != before


def test_overlays_of_the_gallery_can_be_taken_away(show: Open, report: Path) -> None:
    page = show(report)
    assert page.locator(".heat").first.is_visible()
    page.get_by_label("Leave bright what the model looked at").uncheck()
    assert page.locator(".heat:visible").count() == 0


def test_plots_follow_the_width_of_the_page(show: Open, report: Path) -> None:
    page = show(report)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    page.wait_for_function("document.querySelector('#curves svg').viewBox.baseVal.width < 390")


def test_a_page_of_500_trials_draws_all_of_them(show: Open, large_report: Path) -> None:
    page = show(large_report)
    assert page.locator(".trials tbody tr").count() == 510
    assert page.locator("#progress .dot").count() == 493


def test_a_class_cannot_run_a_script(show: Open, tmp_path: Path) -> None:
    run = reported_run(tmp_path / "r", classes=("<script>alert(1)</script>", "<img src=x onerror=alert(2)>"))
    path = run.path / 'a "quoted" name.html'
    write_report(read_contents(run), path)
    page = show(path)
    assert page.locator("#confusion").get_by_text("<script>alert(1)</script>").count() > 0
    assert page.locator("img[src=x]").count() == 0


def test_elements_that_take_the_focus_have_a_name(show: Open, report: Path) -> None:
    page = show(report)
    unnamed = page.evaluate(
        """[...document.querySelectorAll('[tabindex="0"], button, input, a')].filter(each =>
        !(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length)
        && each.tagName !== 'PRE').length"""
    )
    assert unnamed == 0
    assert page.locator("img:not([alt])").count() == 0
