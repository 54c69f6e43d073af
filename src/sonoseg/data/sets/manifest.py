"""A CSV table that names images and their masks, and what is known of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sonoseg.data.samples import LABELS
from sonoseg.data.sets.released import read_rows
from sonoseg.errors import UserError

COLUMNS = ("image", "mask", "label", "group", "patient", "fold", "spacing_row", "spacing_column")
"""``image`` and ``mask`` are needed. Paths are relative to the table; several rows of one image are several masks."""


@dataclass(frozen=True)
class Entry:
    """An image with its masks, and what is known of it; spacing is (row, column) in mm, fold None is no fold."""

    name: str
    image: Path
    masks: tuple[Path, ...]
    label: str = "unknown"
    group: str = ""
    patient: str = ""
    fold: int | None = None
    spacing: tuple[float, float] | None = None


def read_manifest(path: Path) -> list[Entry]:
    """Read the table, an entry for each image in the table's order.

    An empty mask is allowed for the label normal. Errors: ``UserError`` naming file and line for unknown columns,
    paths outside the table's folder, fields that mean nothing, and rows of one image that contradict each other.
    """
    entries: dict[str, Entry] = {}
    for line, row in read_rows(path, COLUMNS[:2]):
        unknown = [column for column in row if column not in COLUMNS]
        if unknown:
            raise UserError(
                f"{path} has the column {unknown[0]!r}; {', '.join(COLUMNS)} are known", hint="remove or rename it"
            )
        entry = _entry(path.parent, row, f"{path}, line {line}")
        first = entries.setdefault(entry.name, entry)
        if first is not entry:
            entries[entry.name] = _united(first, entry, f"{path}, line {line}")
    return list(entries.values())


def _entry(folder: Path, row: Mapping[str, str], place: str) -> Entry:
    image = _inside(folder, row["image"], place)
    label = (row.get("label") or "unknown").lower()
    if label not in LABELS:
        raise UserError(f"{place}: label {row['label']!r}; {', '.join(LABELS)} are known", hint="correct the row")
    if not row["mask"] and label != "normal":
        raise UserError(
            f"{place}: {row['image']} has no mask; only an image labelled normal may have none", hint="correct the row"
        )
    return Entry(
        name=image.relative_to(folder.resolve()).with_suffix("").as_posix(),
        image=image,
        masks=(_inside(folder, row["mask"], place),) if row["mask"] else (),
        label=label,
        group=row.get("group", ""),
        patient=row.get("patient", ""),
        fold=_fold(row.get("fold", ""), place),
        spacing=_spacing(row.get("spacing_row", ""), row.get("spacing_column", ""), place),
    )


def _inside(folder: Path, text: str, place: str) -> Path:
    """A file that the table names. Errors: ``UserError`` where it is none, or lies outside the table's folder."""
    told = f"{text:.100}" or "an empty name"
    try:
        path = (folder / text.replace("\\", "/")).resolve()
        there = path.is_file()
    except (ValueError, OSError) as error:  # a name that no file can have
        raise UserError(f"{place}: {told!r} is no name of a file ({error})", hint="check the path") from error
    if not path.is_relative_to(folder.resolve()):
        raise UserError(f"{place}: {told} lies outside {folder}", hint="put the table into a folder above its files")
    if not there:
        raise UserError(f"{place}: {told} is no file in {folder}", hint="check the path")
    return path


def _fold(text: str, place: str) -> int | None:
    if text and not (text.isascii() and text.isdigit()):
        raise UserError(f"{place}: fold is {text!r}; a number from 0, or nothing, is needed", hint="correct the row")
    return int(text) if text else None


def _spacing(row: str, column: str, place: str) -> tuple[float, float] | None:
    if not row and not column:
        return None
    try:
        lengths = float(row), float(column)
    except ValueError:
        lengths = 0.0, 0.0
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        raise UserError(f"{place}: spacing {row!r}, {column!r}; two lengths in mm are needed", hint="correct the row")
    return lengths


def _united(first: Entry, more: Entry, place: str) -> Entry:
    if replace(more, masks=first.masks) != first:
        raise UserError(
            f"{place}: {more.name} differs from its first row in more than the mask", hint="make the rows of it agree"
        )
    return replace(first, masks=first.masks + more.masks)
