"""Blocks of code in a page of the documentation."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def blocks(page: Path, language: str) -> list[str]:
    """Return the texts of the blocks that are marked with a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)


def shown_commands(page: Path = README) -> list[str]:
    """Return the command lines of a page, without their comments."""
    lines = (line.split("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines())
    return [line for line in lines if line]
