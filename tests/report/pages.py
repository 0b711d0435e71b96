"""The page of a run, taken apart."""

import json
from html.parser import HTMLParser

from tuner.report.contents import read_contents
from tuner.report.page import render
from tuner.results.query import RunView


class Page(HTMLParser):
    """Elements, addresses and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self._inside = ""
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._inside = tag
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "action", "srcset", "data"):
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, _):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] += data
        else:
            self.text += f" {data}"
        if self._inside == "h2":
            self.headings.append(data.strip())

    @property
    def data(self):
        return json.loads(self.scripts[0])


def page(run: RunView) -> Page:
    return Page(render(read_contents(run)))
