"""Networks of some tables set against one of others, image by image: lesion Dice, and what is drawn on normals."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sonoseg.errors import UserError
from sonoseg.evaluation.breakdown import placed
from sonoseg.evaluation.cases import Case, by_model, table
from sonoseg.evaluation.intervals import bootstrap_mean, bootstrap_simultaneous, plain, plain_number
from sonoseg.evaluation.references import models_of, named, rows_of, same_images, table_at
from sonoseg.files import write_csv, write_text
from sonoseg.reports.figures import figure
from sonoseg.reports.table import markdown

TABLE, PAGE = "difference.csv", "difference.md"

LESION, NORMAL = "lesion Dice", "normals drawn on"

COLUMNS = (
    "measure", "model", "images", "groups", "value", "against", "difference", "low", "high", "adjusted_low",
    "adjusted_high",
)  # fmt: skip
"""The columns of ``difference.csv``. value, against: the means of the model and of the one that it is set against, on
the same images; difference: the first minus the second, low and high its 95 % interval; adjusted: that which holds for
all models at once, where there are several."""


def read(places: Sequence[str], against: Sequence[str]) -> tuple[list[Case], list[Case]]:
    """The rows of the networks that are compared, and those of the one that they are set against, on the same images.

    places, against: PATH or PATH:MODEL, as of ``rows_of``. Several, such as the tables of two folds, count as one,
    in which a model is known by its name. Where none is named all models of a table are compared but that one.
    Errors: ``UserError`` for a table that is named twice, nothing to compare, and as ``rows_of`` and ``same_images``.
    """
    one = {_place(where, rows): rows for where in against for rows in [rows_of(where, "--against")]}
    if len(names := {model for _, model in one}) > 1:
        raise UserError(f"--against names {' and '.join(sorted(names))}", hint="name one network, in each table")
    if len(one) < len(against):
        raise UserError("--against names a table twice", hint="name each table once")
    own: dict[tuple[Path, str], list[Case]] = {}
    for where in places:
        for rows in models_of(where).values():
            if (place := _place(where, rows)) in own:
                raise UserError(f"--cases names {place[1]} of {place[0]} twice", hint="name each table once")
            if place not in one:
                own[place] = rows
    if not own:
        raise UserError("a network is set against itself", hint="give the --cases of another one")
    found, reference = _joined(own), _joined(one)
    return found, same_images(reference, found, " and ".join(against))


def compare(own: Sequence[Case], reference: Sequence[Case]) -> list[dict[str, Any]]:
    """A row for each measure and model, on the images that the model was judged on; plain data.

    reference: the rows of one model, of all images of the others.
    """
    first = table([replace(case, model=f"{case.model}, set against") for case in reference])  # both may have one name
    models = {model: table(rows) for model, rows in by_model(own).items()}
    found: list[dict[str, Any]] = []
    for measure, column, lesion in ((LESION, "dice", True), (NORMAL, "drawn", False)):
        part = first.part(row.has_lesion is lesion for row in first.rows)
        theirs = part.column(column)
        gaps = [placed(rows, (row.image for row in part.rows), column) - theirs for rows in models.values()]
        together = bootstrap_simultaneous(gaps, part.groups) if part.rows and len(gaps) > 1 else ()
        for place, (model, gap) in enumerate(zip(models, gaps, strict=True)):
            if not (known := ~np.isnan(gap.values)).any():
                continue
            told, against = plain(bootstrap_mean(gap, part.groups)), float(theirs.values[known].mean())
            row = {"measure": measure, "model": model, "images": told["n"], "groups": told["groups"]}
            row |= {"value": plain_number(against + float(gap.values[known].mean())), "against": plain_number(against)}
            row |= {"difference": told["mean"], "low": told["low"], "high": told["high"]}
            if together:
                adjusted = plain(together[place])
                row |= {"adjusted_low": adjusted["low"], "adjusted_high": adjusted["high"]}
            found.append(row)
    return found


def write(folder: Path, rows: Sequence[Mapping[str, Any]], against: str, command: str) -> None:
    """Write ``difference.csv`` and ``difference.md``. against: what is set against; command: what was typed."""
    write_csv(folder / TABLE, COLUMNS, rows)
    write_text(folder / PAGE, page(rows, against, command))


def page(rows: Sequence[Mapping[str, Any]], against: str, command: str) -> str:
    """The finding in Markdown."""
    adjusted = len({row["model"] for row in rows}) > 1
    heads = ["model", "images", "groups", "its own", "against", "difference [95 %]"]
    heads += [f"adjusted for {len({row['model'] for row in rows})}"] if adjusted else []
    parts = []
    for measure, shares in ((LESION, False), (NORMAL, True)):
        lines = [_line(row, shares, adjusted) for row in rows if row["measure"] == measure]
        parts.append(f"## {measure[0].upper()}{measure[1:]}\n\n{markdown(heads, lines)}\n" if lines else "")
    return f"# Set against {against}, image by image\n\n{''.join(parts)}    {command}\n"


def _line(row: Mapping[str, Any], shares: bool, adjusted: bool) -> list[str]:
    digits = 1 if shares else 3

    def told(mean: str, low: str = "", high: str = "") -> str:
        found = {"mean": row[mean], "low": row[low] if low else None, "high": row[high] if high else None}
        return figure(found, digits, sign=mean == "difference", shares=shares)

    line = [row["model"], str(row["images"]), str(row["groups"]), told("value"), told("against")]
    line.append(told("difference", "low", "high"))
    return line + ([told("difference", "adjusted_low", "adjusted_high")] if adjusted else [])


def _joined(tables: Mapping[tuple[Path, str], Sequence[Case]]) -> list[Case]:
    """The rows of all tables. Errors: ``UserError`` where two of them tell one thing."""
    found: dict[tuple[str, str, int, int], tuple[Path, Case]] = {}
    for (path, model), rows in tables.items():
        for case in rows:
            other, _ = found.setdefault((model, case.image, case.fold, case.seed), (path, case))
            if other != path:
                raise UserError(
                    f"{other} and {path} both tell {model} on {case.image}, fold {case.fold}, seed {case.seed}",
                    hint="several tables count as one: give those of other folds or seeds, or compare one at a time",
                )
    return [case for _, case in found.values()]


def _place(where: str, rows: Sequence[Case]) -> tuple[Path, str]:
    """Which table the rows of a model are of."""
    return table_at(Path(named(where)[0])).resolve(), rows[0].model
