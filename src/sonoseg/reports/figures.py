"""How a figure is written, once for pages, tables, cards and the terminal. What is undefined is a dash."""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

MISSING = "–"

Found: TypeAlias = Mapping[str, Any]
"""An interval as ``summary.json`` holds it: ``mean``, ``low``, ``high``, each None where it is undefined."""


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """Write a figure with a fixed number of decimals. sign: a plus before what is not negative."""
    if value is None or math.isnan(value):
        return MISSING
    return format(value + 0.0, f"{'+' if sign else ''}.{digits}f").replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share in per cent."""
    return MISSING if value is None or math.isnan(value) else f"{number(100 * value, digits)}\u00a0%"


def counted(number: int, what: str) -> str:
    """Write how many there are of what has an s where it is not one: 1 lesion, 2 lesions."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def short(value: float) -> str:
    """Write a round figure, such as a tick or a threshold, without decimals that say nothing."""
    return f"{value:g}".replace("-", "−")


def amount(value: float | None) -> str:
    """Write a large number short: 34.5 M, 9.61 G."""
    if value is None:
        return MISSING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """Write a time: 40 s, 12 min, 3.4 h."""
    if seconds is None:
        return MISSING
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def span(found: Found, digits: int = 3, sign: bool = False, shares: bool = False) -> str:
    """Write an interval alone: 0.645 to 0.783, or +0.010 to +0.020. shares: in per cent, without its sign."""
    low, high = _ends(found, digits, sign, shares)
    return f"{low} to {high}" if low else MISSING


def figure(found: Found, digits: int = 3, sign: bool = False, shares: bool = False) -> str:
    """Write a mean with its interval: 0.716 [0.645, 0.783], or in per cent 88 [73, 100] %."""
    if found["mean"] is None:
        return MISSING
    low, high = _ends(found, digits, sign, shares)
    mean = number((100 if shares else 1) * found["mean"], digits, sign)
    return mean + (f" [{low}, {high}]" if low else "") + (" %" if shares else "")


def sentence(found: Found, digits: int = 3) -> str:
    """Write a mean with its interval for a sentence: 0.716 (95 % interval 0.645 to 0.783)."""
    told = number(found["mean"], digits)
    return told if found["low"] is None else f"{told} (95\u00a0% interval {span(found, digits)})"


def _ends(found: Found, digits: int, sign: bool, shares: bool) -> tuple[str, str]:
    if found["low"] is None:
        return "", ""
    low, high = (number((100 if shares else 1) * found[name], digits, sign) for name in ("low", "high"))
    return low, high
