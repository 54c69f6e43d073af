"""A table, as a page's template or Markdown shows it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sonoseg.reports.figures import MISSING, Found, number, percent, span


@dataclass(frozen=True)
class Cell:
    """What stands in a table: a figure, and its interval in small under it."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """A caption, the heads of the columns (the first is that of the rows' names), and rows of a name and cells.

    A row without cells is a heading for those that follow.
    """

    caption: str
    heads: tuple[Cell, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def estimate(found: Found, digits: int = 3, shares: bool = False) -> Cell:
    """A mean with its interval under it, in per cent where ``shares``."""
    if found["mean"] is None:
        return Cell(MISSING)
    text = percent(found["mean"], digits) if shares else number(found["mean"], digits)
    known = found["low"] is not None and found["low"] != found["high"]
    return Cell(text, span(found, digits, shares=shares) if known else "")


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |\n" for line in lines)
