"""Sections of a page that scripts write: each script replaces its own and leaves the rest alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [list(columns), ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def write_section(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end of name -->`, which the page must hold."""
    whole = page.read_text()
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end of {re.escape(name)} -->)", re.S)
    if not pattern.search(whole):
        raise ValueError(f"{page} has no place for {name!r}: add <!-- {name} --> and <!-- end of {name} --> to it")
    page.write_text(pattern.sub(lambda found: found[1] + text + found[2], whole))
