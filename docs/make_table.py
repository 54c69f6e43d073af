"""Prints the README's table from results: ``python docs/make_table.py results/busi-four-unets/summary.json``."""

import json
import sys
from pathlib import Path
from typing import Any

from sonoseg.reports.figures import figure, number

HEADS = (
    "model", "lesion Dice [95 %]", "median", "IoU", "HD95, px", "its median", "where drawn", "normals drawn on",
    "pixel accuracy", "the study's accuracy",
)  # fmt: skip


def row(name: str, part: dict[str, Any]) -> str:
    """One line of the table."""
    lesion, pixels = part["lesion"], part["all"]
    cells = [
        name,
        figure(lesion["dice"]),
        number(lesion["dice_median"]),
        figure(lesion["iou"]),
        figure(lesion["hd95"], 1),
        number(lesion["hd95_median"], 1),
        figure(lesion["hd95_drawn"], 1),
        figure(part["normal"]["drawn"], 0, shares=True),
        f"{number(100 * pixels['accuracy']['mean'], 1)} %",
        f"{number(100 * pixels['study_accuracy']['mean'], 1)} %",
    ]
    return "| " + " | ".join(cells) + " |\n"


def table(summary: dict[str, Any]) -> str:
    """The table in Markdown."""
    models = [*summary["models"].items(), ("*nothing drawn*", summary["nothing"])]
    head = "| " + " | ".join(HEADS) + " |\n" + "|---" * len(HEADS) + "|\n"
    return head + "".join(row(name, part) for name, part in models)


if __name__ == "__main__":
    sys.stdout.write(table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
