"""What the sources of released sets share: where the release lies below a folder, and its tables."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError, printable

_RESTORE = "restore it from the release"


def find_release(root: Path, inner: Sequence[str], needed: Sequence[str], name: str) -> Path:
    """Give ``root`` or the first of its ``inner`` folders that holds all of ``needed``.

    name: of the source, for the hint. Errors: ``UserError`` naming what is missing.
    """
    for folder in (root, *(root / each for each in inner)):
        if all((folder / each).exists() for each in needed):
            return folder
    if not root.is_dir():
        raise UserError(f"{root} is not a folder", hint=f"give the folder of the release: --data {name}:PATH")
    missing = ", ".join(each for each in needed if not (root / each).exists())
    raise UserError(
        f"{root} is not {name} as it was released: it has no {missing}; {', '.join(needed)} are needed",
        hint=f"give the folder that holds them, or the one that holds {inner[0]}",
    )


def read_rows(path: Path, needed: Iterable[str], delimiter: str = ",") -> list[tuple[int, dict[str, str]]]:
    """Read a CSV table with a header: (line, fields by column, without blanks around them).

    Errors: ``UserError`` for a file that cannot be read, a missing column, a row of another length.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a table ({error})", hint="check the path") from error
    try:
        return _rows(path, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), needed)
    except csv.Error as error:
        raise UserError(f"{path} cannot be read as a table ({error})", hint=_RESTORE) from error


def _rows(path: Path, table: Any, needed: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    header = [column.strip() for column in next(table, [])]
    missing = [column for column in needed if column not in header]
    if missing:
        there = printable(", ".join(header)) or "none"
        raise UserError(f"{path} has no column {', '.join(missing)}; it has {there:.300}", hint=_RESTORE)
    rows = []
    for fields in table:
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            raise UserError(
                f"{path}, line {table.line_num}: {len(fields)} fields; {len(header)} are needed", hint=_RESTORE
            )
        rows.append((table.line_num, dict(zip(header, (field.strip() for field in fields), strict=True))))
    return rows


def label_of(text: str, known: Sequence[str], place: str) -> str:
    """Read the label that a table gives, in letters of any size. place: what to name. Errors: ``UserError``."""
    if (label := text.lower()) not in known:
        raise UserError(f"{place} has the label {text!r}; {', '.join(known)} are known", hint=_RESTORE)
    return label


def compare_names(found: Iterable[str], expected: Iterable[str], folder: Path, table: str) -> None:
    """Refuse files that a table does not list, and the other way round. Errors: ``UserError`` naming the first."""
    found, expected = set(found), set(expected)
    for names, what in (
        (expected - found, f"lacks {{}} files that {table} lists, the first is {{}}"),
        (found - expected, f"holds {{}} files that {table} does not list, the first is {{}}"),
    ):
        if names:
            raise UserError(f"{folder} {what.format(len(names), min(names))}", hint=_RESTORE)
