"""The table of a network, found by its place and name, to be compared with."""

from collections.abc import Sequence
from pathlib import Path

from sonoseg.errors import UserError
from sonoseg.evaluation.cases import Case, by_model, read_cases
from sonoseg.evaluation.summary import CASES, SUMMARY


def table_at(where: Path) -> Path:
    """The file of a table: in a folder of a run or a benchmark, or named itself or by its summary."""
    if where.is_dir():
        return where / CASES
    return where.with_name(CASES) if where.name == SUMMARY else where


def cases_at(where: Path) -> list[Case]:
    """Read ``table_at``. Errors: ``UserError`` where there is none."""
    return read_cases(table_at(where))


def reference_of(where: str, own: Sequence[Case]) -> list[Case]:
    """The rows of the entry that these are compared with, on the same images. where: as ``rows_of``.

    Errors: ``UserError`` as ``rows_of`` and ``same_images``, and for a model of our own name.
    """
    rows = rows_of(where, "--reference")
    if rows[0].model == own[0].model:
        raise UserError(f"both are called {rows[0].model}; names must differ", hint="give another --name")
    return same_images(rows, own, where)


def rows_of(where: str, option: str) -> list[Case]:
    """The rows of one model. where: PATH, or PATH:MODEL of several; PATH as of ``table_at``.

    option: how it was asked for, for the hint. Errors: ``UserError`` for several models and none chosen, none of that
    name, no rows.
    """
    models = models_of(where)
    if len(models) > 1:
        first = next(iter(models))
        raise UserError(f"{where} has {', '.join(models)}; one is compared with", f"{option} {where}:{first}")
    return next(iter(models.values()))


def named(where: str) -> tuple[str, str]:
    """The PATH of an entry and its MODEL, empty where none is named."""
    path, _, chosen = where.rpartition(":")
    return (where, "") if Path(where).exists() or not path else (path, chosen)


def models_of(where: str) -> dict[str, list[Case]]:
    """The rows of each model of a table, or of the one that is named. where, errors: as of ``rows_of``."""
    path, chosen = named(where)
    models = by_model(cases_at(Path(path)))
    if chosen not in ("", *models) or not models:
        raise UserError(f"{path} has no model {chosen}; {', '.join(models) or 'none'} is there", "name one of them")
    return {chosen: models[chosen]} if chosen else models


def same_images(rows: Sequence[Case], own: Sequence[Case], where: str) -> list[Case]:
    """Those of the rows that are of the same images as our own. where: what the rows are of.

    Errors: ``UserError`` for an image that was not judged there, another group, size or truth.
    """
    others = {row.image: row for row in rows}
    for case in own:
        other = others.get(case.image)
        if other is None:
            raise UserError(
                f"{where} was not judged on {case.image}; it is compared on the same images", hint="choose its folds"
            )
        if (other.group, other.pixels, other.tp + other.fn) != (case.group, case.pixels, case.tp + case.fn):
            raise UserError(
                f"{where} has another group, size or truth of {case.image}; it was judged on another set or folds",
                hint="compare with an entry of this set",
            )
    images = {case.image for case in own}
    return [row for row in rows if row.image in images]
