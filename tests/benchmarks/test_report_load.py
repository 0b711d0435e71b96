import pytest

from benchmarks import report_load


def test_without_a_browser_it_says_what_is_needed(monkeypatch):
    pytest.importorskip("playwright")
    monkeypatch.setattr(report_load, "chromium_path", lambda: None)
    with pytest.raises(SystemExit, match="CHROMIUM"):
        report_load.browser_path()


def test_without_playwright_it_says_so(monkeypatch):
    monkeypatch.setattr(report_load, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="playwright"):
        report_load.browser_path()


def test_the_page_has_as_many_trials_as_asked_for(tmp_path):
    page, seconds = report_load.write_page(tmp_path, 6)
    assert page.read_text("utf-8").count("<tr data-trial=") == 6
    assert seconds > 0
