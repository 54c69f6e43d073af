"""The old measure: the accuracy that an earlier study published, beside Dice, for its four models and for silence.

Its accuracy is 1 - mean abs(probability - mask) over all pixels of all images (``metrics.study_accuracy``). Most of an
ultrasound image is background, so that an answer which never finds a lesion scores above 0.9 on it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError
from sonoseg.evaluation.cases import NOTHING, Case, by_model, table
from sonoseg.evaluation.intervals import bootstrap_difference, plain
from sonoseg.evaluation.summary import sum_up
from sonoseg.files import write_csv, write_text
from sonoseg.reports.figures import MISSING, figure, number
from sonoseg.reports.table import markdown

PUBLISHED = {"unet": 0.96, "recurrent-unet": 0.84, "attention-unet": 0.96, "recurrent-attention-unet": 0.91}
"""Accuracy that the study reported on BUSI, on a random split of the images."""

TABLE, PAGE = "study.csv", "study.md"

COLUMNS = (
    "model", "published", "images", "accuracy", "accuracy_low", "accuracy_high", "over_nothing", "over_nothing_low",
    "over_nothing_high", "lesion_images", "dice", "dice_low", "dice_high",
)  # fmt: skip
"""The columns of ``study.csv``; over_nothing: the accuracy minus that of drawing nothing, paired by image."""


def compare(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """A row for each model and, last, for drawing nothing: accuracy, what it has over silence, and Dice.

    Values are plain data; an interval has mean, low, high, n and groups. Errors: ``UserError`` without cases.
    """
    if not cases:
        raise UserError("the table of cases is empty", hint="give the cases.csv of a benchmark")
    summary, of_model = sum_up(cases), by_model(cases)
    rows = []
    for name, entry in [*summary["models"].items(), (NOTHING, summary["nothing"])]:
        own = table(of_model.get(name, []))
        silent = [row.silent.study_accuracy for row in own.rows]
        over = bootstrap_difference(own.column("study_accuracy"), silent, own.groups)
        rows.append(
            {
                "model": name,
                "published": PUBLISHED.get(name),
                "accuracy": entry["all"]["study_accuracy"],
                "over_nothing": plain(over),
                "dice": entry["lesion"]["dice"],
            }
        )
    return rows


def write(folder: Path, rows: Sequence[dict[str, Any]], command: str) -> None:
    """Write ``study.csv`` and ``study.md``. command: what was typed."""
    write_csv(folder / TABLE, COLUMNS, (_flat(row) for row in rows))
    write_text(folder / PAGE, page(rows, command))


def page(rows: Sequence[dict[str, Any]], command: str) -> str:
    """The finding in Markdown."""
    *models, nothing = rows
    silent = nothing["accuracy"]["mean"]
    below = [row["model"] for row in models if row["published"] is not None and row["published"] <= silent]
    told = f"Published below it: {', '.join(below)}. " if below else ""
    heads = ("model", "published", "accuracy [95 %]", "over drawing nothing", "lesion Dice [95 %]")
    lines = [
        (
            row["model"],
            number(row["published"], 2),
            figure(row["accuracy"]),
            MISSING if row is nothing else figure(row["over_nothing"], sign=True),
            figure(row["dice"]),
        )
        for row in rows
    ]
    images, lesions = nothing["accuracy"]["n"], nothing["dice"]["n"]
    return (
        "# The old measure\n\n"
        "Accuracy: 1 - mean abs(probability - mask) over all pixels, as an earlier study reported it, on "
        f"{images} images; Dice on the {lesions} of them that have a lesion. Drawing nothing at all has an accuracy of "
        f"{number(silent)} and a Dice of 0. {told}Published figures are of another split.\n\n"
        f"{markdown(heads, lines)}\n    {command}\n"
    )


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat = {"model": row["model"], "published": "" if row["published"] is None else row["published"]}
    flat |= {"images": row["accuracy"]["n"], "lesion_images": row["dice"]["n"]}
    for name in ("accuracy", "over_nothing", "dice"):
        found = row[name]
        ends = {name: found["mean"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
        flat |= {key: "" if value is None else value for key, value in ends.items()}
    return flat
