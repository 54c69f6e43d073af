"""How the measurements write their findings: figures with intervals, tables in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MISSING = "–"


def figure(interval: Mapping[str, Any], digits: int = 3, sign: bool = False) -> str:
    """Write an interval of plain data (``mean``, ``low``, ``high``; None where undefined): 0.716 [0.645, 0.783]."""
    if interval["mean"] is None:
        return MISSING
    form = f"{'+' if sign else ''}.{digits}f"
    mean, low, high = (
        "" if interval[name] is None else format(interval[name] + 0.0, form) for name in ("mean", "low", "high")
    )
    return f"{mean} [{low}, {high}]".replace("-", "−") if low else mean.replace("-", "−")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
