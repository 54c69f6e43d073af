"""BUS-BRA as it is released (Gomez-Flores et al. 2024, doi 10.1002/mp.16812; data: doi 10.5281/zenodo.8231412)."""

import re
from functools import partial
from pathlib import Path

from sonoseg.data.copies import natural_key
from sonoseg.data.folds import Folds, Row
from sonoseg.data.samples import DataSet, Sample, read_pair
from sonoseg.data.sets.catalogue import KNOWN
from sonoseg.data.sets.released import compare_names, find_release, label_of, read_rows
from sonoseg.errors import UserError

TABLE, FOLD_TABLE = "bus_data.csv", "5-fold-cv.csv"

_ID = re.compile(r"bus_([\w-]+)")


def open_bus_bra(root: str) -> DataSet:
    """Read the folder that holds ``Images``, ``Masks`` and the two tables, or the release's ``BUSBRA`` above them.

    Groups are patients (``Case``), folds the official five (``kFold`` 1 to 5 are 0 to 4). A part of the set is read
    as well, where its tables were cut with it.
    Errors: ``UserError`` for another layout, for tables that do not fit the files or each other.
    """
    folder = find_release(Path(root), ("BUSBRA",), ("Images", "Masks", TABLE, FOLD_TABLE), "bus-bra")
    rows = {row["ID"]: row for _, row in read_rows(folder / TABLE, ("ID", "Case", "Pathology"))}
    fold_of = {row["ID"]: row["kFold"] for _, row in read_rows(folder / FOLD_TABLE, ("ID", "kFold"))}
    compare_names(fold_of, rows, folder / FOLD_TABLE, TABLE)
    numbers = {name: _number(name) for name in sorted(rows, key=natural_key)}
    labels = {
        name: label_of(row["Pathology"], ("benign", "malignant"), f"{TABLE}: {name}") for name, row in rows.items()
    }
    compare_names(_stems(folder / "Images"), numbers, folder / "Images", TABLE)
    compare_names(_stems(folder / "Masks"), (f"mask_{n}" for n in numbers.values()), folder / "Masks", TABLE)
    known = KNOWN["bus-bra"]
    return DataSet(
        name="bus-bra",
        spec=f"bus-bra:{root}",
        samples=tuple(
            Sample(name, labels[name], partial(read_pair, *_paths(folder, name, number)))
            for name, number in numbers.items()
        ),
        folds=Folds(
            tuple(Row(name, labels[name], f"case {rows[name]['Case']}", _fold(name, fold_of[name])) for name in numbers)
        ),
        grouping="patient (Case of bus_data.csv; copies were not looked for)",
        citation=known.citation,
        licence=known.licence,
    )


def _number(name: str) -> str:
    found = _ID.fullmatch(name)
    if not found:
        raise UserError(f"{TABLE} has the ID {name!r}; IDs look like bus_0001-l", hint="restore it from the release")
    return found[1]


def _stems(folder: Path) -> list[str]:
    return [path.stem for path in folder.glob("*.png")]


def _paths(folder: Path, name: str, number: str) -> tuple[Path, tuple[Path]]:
    return folder / "Images" / f"{name}.png", (folder / "Masks" / f"mask_{number}.png",)


def _fold(name: str, text: str) -> int:
    if text not in {"1", "2", "3", "4", "5"}:
        raise UserError(
            f"{FOLD_TABLE} puts {name} into kFold {text!r}; 1 to 5 are known", hint="restore it from the release"
        )
    return int(text) - 1
