"""A list of images within a set, and the rest of it: how much of a mean is owed to a few."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sonoseg.data.copies import natural_key
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import Case, by_model, table
from sonoseg.evaluation.intervals import Interval, bootstrap_contrast, bootstrap_mean, plain
from sonoseg.files import write_csv, write_text
from sonoseg.reports.figures import MISSING, figure, number, short
from sonoseg.reports.table import markdown

TABLE, PAGE = "subset.csv", "subset.md"

MISSED = 0.1
"""A lesion whose Dice is below this was missed, or something else was outlined."""

COLUMNS = ("model", "part", "images", "groups", "dice", "dice_low", "dice_high", "median", "missed")
"""The columns of ``subset.csv``; part: all, listed, rest, or difference (listed - rest)."""


def read_lists(paths: Iterable[Path]) -> frozenset[str]:
    """Read the images of lists, all together: each a CSV with a column ``image``; others are left aside.

    Errors: ``UserError`` for a file that cannot be read or has no such column.
    """
    return frozenset(image for path in paths for image in _read_list(path))


def _read_list(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if "image" not in (rows.fieldnames or ()):
                raise UserError(f"{path} has no column called image", hint="begin the file with the line: image")
            return [row["image"] for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as a list ({error})", hint="give a CSV with a column image") from error


def unknown(cases: Iterable[Case], listed: Iterable[str]) -> list[str]:
    """The names of a list that no row has, in order."""
    return sorted(set(listed) - {case.image for case in cases}, key=natural_key)


def compare(cases: Sequence[Case], listed: Iterable[str]) -> list[dict[str, Any]]:
    """Lesion Dice of each model on all images with a lesion, on those of a list, on the rest, and the difference.

    Values are plain data. Errors: ``UserError`` where the cases have no image with a lesion, and where the list has
    none of those, or all of them.
    """
    listed = frozenset(listed)
    if not any(case.has_lesion for case in cases):
        raise UserError("the table has no image with a lesion", hint="give the cases of another run")
    found = []
    for model, rows in by_model(case for case in cases if case.has_lesion).items():
        own = table(rows)
        inside = np.array([row.image in listed for row in own.rows], bool)
        if not inside.any() or inside.all():
            raise UserError(
                f"{'all' if inside.all() else 'none'} of the {len(inside)} images with a lesion are listed",
                hint="give the list of another set, or the cases of another run",
            )
        dice, groups = own.column("dice"), own.groups
        for part, kept in (("all", np.ones_like(inside)), ("listed", inside), ("rest", ~inside)):
            found.append(_row(model, part, bootstrap_mean(dice[kept], groups[kept])) | _spread(dice[kept].values))
        found.append(_row(model, "difference", bootstrap_contrast(dice, inside, groups)))
    return found


def write(folder: Path, rows: Sequence[Mapping[str, Any]], about: str, command: str) -> None:
    """Write ``subset.csv`` and ``subset.md``. about: what the list is of; command: what was typed."""
    write_csv(folder / TABLE, COLUMNS, rows)
    write_text(folder / PAGE, page(rows, about, command))


def page(rows: Sequence[Mapping[str, Any]], about: str, command: str) -> str:
    """The finding in Markdown."""
    heads = ("model", "part", "images", "groups", "lesion Dice [95 %]", "median", f"Dice below {short(MISSED)}")
    lines = [
        (
            str(row["model"]),
            str(row["part"]),
            str(row["images"]),
            str(row["groups"]),
            figure(_interval(row), sign=row["part"] == "difference"),
            number(row.get("median")),
            str(row.get("missed", MISSING)),
        )
        for row in rows
    ]
    return f"# A part of the set: {about}\n\n{markdown(heads, lines)}\n    {command}\n"


def _row(model: str, part: str, interval: Interval) -> dict[str, Any]:
    told = plain(interval)
    ends = {"dice": told["mean"], "dice_low": told["low"], "dice_high": told["high"]}
    return {"model": model, "part": part, "images": told["n"], "groups": told["groups"], **ends}


def _spread(dice: Any) -> dict[str, Any]:
    return {"median": round(float(np.median(dice)), 6), "missed": int((dice < MISSED).sum())}


def _interval(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"mean": row["dice"], "low": row["dice_low"], "high": row["dice_high"]}
