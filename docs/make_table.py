"""Prints the README's table from results: ``python docs/make_table.py results/busi-four-unets/summary.json``."""

import json
import sys
from pathlib import Path
from typing import Any

HEAD = (
    "| model | lesion Dice [95 %] | median | IoU | HD95, px | normals drawn on "
    "| pixel accuracy | the study's accuracy |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def span(value: dict[str, Any], scale: float = 1, digits: int = 3) -> str:
    """Mean and interval of a summary's entry."""
    if value["mean"] is None:
        return "–"
    mean, low, high = (f"{value[name] * scale:.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def row(name: str, part: dict[str, Any]) -> str:
    """One line of the table."""
    lesion, pixels = part["lesion"], part["all"]
    cells = [
        name,
        span(lesion["dice"]),
        f"{lesion['dice_median']:.3f}",
        span(lesion["iou"]),
        span(lesion["hd95"], digits=1),
        span(part["normal"]["drawn"], 100, 0) + " %",
        f"{pixels['accuracy']['mean'] * 100:.1f} %",
        f"{pixels['study_accuracy']['mean'] * 100:.1f} %",
    ]
    return "| " + " | ".join(cells) + " |\n"


def table(summary: dict[str, Any]) -> str:
    """The table in Markdown."""
    models = [*summary["models"].items(), ("*nothing drawn*", summary["nothing"])]
    return HEAD + "".join(row(name, part) for name, part in models)


if __name__ == "__main__":
    sys.stdout.write(table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
