"""Folds that keep the copies of an image together, and the file that holds them.

A group is a set of copies of one image. It is **not a patient**: BUSI names no patients, so two different images of
one woman may lie in two folds, and no file can tell. ``dealing`` makes the folds of a set.

The file has the columns ``image,label,group,fold,flags``, a row per image in natural order, LF line ends, UTF-8.
``fold`` counts from 0 and is empty for an image that is in no fold. ``flags`` are joined by ``;``:

- ``copy``: the group has more than one image;
- ``crosses-classes``: the group has more than one label;
- ``excluded``: the group joins an image labelled ``normal`` with one that is not. One of their masks must be wrong and
  nothing tells which, so the group is left out of training and scoring.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sonoseg.data.copies import natural_key
from sonoseg.errors import UserError
from sonoseg.files import write_csv

COLUMNS = ("image", "label", "group", "fold", "flags")
COPY, CROSSES, EXCLUDED = "copy", "crosses-classes", "excluded"
FLAGS = (COPY, CROSSES, EXCLUDED)


@dataclass(frozen=True)
class Row:
    """One image: its name, label, group, fold (None where it is in no fold) and flags (a subset of ``FLAGS``)."""

    image: str
    label: str
    group: str
    fold: int | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Folds:
    """The rows of a set. Errors: ``UserError`` for an image named twice or a group that lies in two folds."""

    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        for _, problem in _problems(self.rows):
            raise UserError(problem)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The folds that there are, in order; a table that a person made may begin at 1."""
        return tuple(sorted({row.fold for row in self.rows if row.fold is not None}))

    @property
    def count(self) -> int:
        """How many folds there are."""
        return len(self.numbers)

    @property
    def groups(self) -> dict[str, str]:
        """Group of every image, by name; excluded ones as well."""
        return {row.image: row.group for row in self.rows}

    def test(self, fold: int) -> tuple[str, ...]:
        """Names of the images held out in ``fold``. Errors: ``UserError`` for a fold that does not exist."""
        self._check(fold)
        return tuple(row.image for row in self.rows if row.fold == fold)

    def training(self, fold: int) -> tuple[str, ...]:
        """Names of the images in all other folds; excluded ones are in none. Errors: as ``test``."""
        self._check(fold)
        return tuple(row.image for row in self.rows if row.fold not in (None, fold))

    def _check(self, fold: int) -> None:
        if fold not in self.numbers:
            raise UserError(
                f"fold {fold} does not exist; there are {', '.join(map(str, self.numbers)) or 'none'}",
                hint="hold out one that there is" if self.numbers else _HOW_TO_MAKE,
            )


def write(path: Path, folds: Folds) -> None:
    """Write the file, whole or not at all; the same folds give the same bytes. Errors: ``OSError``."""
    write_csv(
        path,
        COLUMNS,
        (
            {
                "image": row.image,
                "label": row.label,
                "group": row.group,
                "fold": "" if row.fold is None else row.fold,
                "flags": ";".join(row.flags),
            }
            for row in folds.rows
        ),
    )


def read(path: Path) -> Folds:
    """Read a file that ``write`` wrote or a person made.

    Errors: ``UserError`` naming file and line for other columns, an image named twice, a group in two folds, a fold
    that is no number, a flag that is not known.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; a table of folds is needed", hint=_HOW_TO_MAKE) from error
    return _parse(text, str(path))


def shipped(name: str) -> Folds:
    """Give the folds that come with the package: ``busi``. Errors: ``UserError`` for a set that has none."""
    folder = resources.files("sonoseg.data") / "shipped"
    file = folder / f"{name}-folds.csv"
    if not file.is_file():
        known = sorted(
            entry.name.removesuffix("-folds.csv") for entry in folder.iterdir() if entry.name.endswith("-folds.csv")
        )
        raise UserError(f"no folds are shipped for {name!r}; there are some for {', '.join(known)}", hint=_HOW_TO_MAKE)
    return _parse(file.read_text(encoding="utf-8"), file.name)


def checksum(folds: Folds) -> str:
    """SHA-256 of image, group and fold of every image that is in a fold, hexadecimal: it names the folds in a paper."""
    table = "".join(f"{row.image},{row.group},{row.fold}\n" for row in folds.rows if row.fold is not None)
    return hashlib.sha256(table.encode()).hexdigest()


def check_disjoint(training_groups: Iterable[str], test_groups: Iterable[str]) -> None:
    """Refuse a split that has a group on both sides. Errors: ``UserError`` naming the first such groups."""
    shared = sorted(set(training_groups) & set(test_groups), key=natural_key)
    if shared:
        named = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
        raise UserError(
            f"{len(shared)} group(s) lie in both training and test: {named}; a group must be on one side",
            hint="use the shipped folds or make new ones with: sonoseg data folds DATA --out folds.csv",
        )


_HOW_TO_MAKE = "make one with: sonoseg data folds DATA --out folds.csv"


def _problems(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """(index of the row, what is wrong with it)."""
    seen: set[str] = set()
    fold_of: dict[str, int | None] = {}
    for index, row in enumerate(rows):
        if row.image in seen:
            yield index, f"image {row.image!r} is named twice; once is allowed"
        seen.add(row.image)
        fold = fold_of.setdefault(row.group, row.fold)
        if fold != row.fold:
            here, there = ("no fold" if f is None else f"fold {f}" for f in (row.fold, fold))
            yield index, f"group {row.group!r} is in {here} and in {there}; a group must be in one"


def _parse(text: str, source: str) -> Folds:
    try:
        return _folds(csv.reader(io.StringIO(text, newline="")), source)
    except csv.Error as error:
        raise UserError(f"{source} cannot be read as a table ({error})", hint=_HOW_TO_MAKE) from error


def _folds(table: Any, source: str) -> Folds:
    header = tuple(next(table, ()))
    if header != COLUMNS:
        raise UserError(
            f"{source}, line 1: columns are {','.join(header)!r}; {','.join(COLUMNS)!r} are needed", hint=_HOW_TO_MAKE
        )
    rows, lines = [], []
    for fields in table:
        if fields:
            rows.append(_row(fields, f"{source}, line {table.line_num}"))
            lines.append(table.line_num)
    for index, problem in _problems(rows):
        raise UserError(f"{source}, line {lines[index]}: {problem}", hint=_HOW_TO_MAKE)
    return Folds(tuple(rows))


def _row(fields: Sequence[str], place: str) -> Row:
    if len(fields) != len(COLUMNS):
        raise UserError(f"{place}: {len(fields)} fields; {len(COLUMNS)} are needed", hint=_HOW_TO_MAKE)
    image, label, group_name, fold, flags = fields
    if not image or not group_name:
        raise UserError(f"{place}: image and group must not be empty", hint=_HOW_TO_MAKE)
    if fold and not (fold.isascii() and fold.isdigit()):
        raise UserError(f"{place}: fold is {fold!r}; a number from 0, or nothing, is needed", hint=_HOW_TO_MAKE)
    given = tuple(flag for flag in flags.split(";") if flag)
    for flag in given:
        if flag not in FLAGS:
            raise UserError(f"{place}: flag {flag!r} is not known; {', '.join(FLAGS)} are", hint=_HOW_TO_MAKE)
    return Row(image, label, group_name, int(fold) if fold else None, given)
