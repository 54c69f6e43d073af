"""BrEaST as it is released on TCIA (Pawlowska et al. 2024, doi 10.1038/s41597-024-02984-z).

The layout is that of the authors' own import script (github.com/best-ippt-pan-pl/BrEaST).
"""

import re
import zipfile
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from sonoseg.data.copies import natural_key
from sonoseg.data.samples import DataSet, Sample, read_pair, whole_groups
from sonoseg.data.sets.catalogue import KNOWN
from sonoseg.data.sets.released import compare_names, label_of
from sonoseg.errors import UserError

PICTURES = "BrEaST-Lesions_USG-images_and_masks"
TABLE = "BrEaST-Lesions-USG-clinical-data*.xlsx"
COLUMNS = ("Image_filename", "Mask_tumor_filename", "Classification")

_MAX_SHEET = 50_000_000
_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_NAME = re.compile(r"case\d+\w*\.png")


def open_breast(root: str) -> DataSet:
    """Read the folder that holds the clinical table (xlsx) and the images with their masks, together or in their own.

    The truth is the tumour's masks; those of other abnormal areas are left out. Every case is another patient.
    Errors: ``UserError`` for another layout, and for files that do not fit the table.
    """
    folder = Path(root)
    tables = sorted(folder.glob(TABLE))
    if not tables:
        raise UserError(
            f"{root} is not breast (BrEaST) as it was released: it has no {TABLE}",
            hint="download both files of the collection into one folder: sonoseg data get breast --to PATH",
        )
    rows = _rows(tables[-1])
    pictures = folder / PICTURES if (folder / PICTURES).is_dir() else folder
    named = [name for row in rows for name in (row["Image_filename"], *_masks(row))]
    compare_names((name for name in named if (pictures / name).is_file()), named, pictures, tables[-1].name)
    samples = [
        Sample(
            Path(row["Image_filename"]).stem,
            _label(row),
            partial(read_pair, pictures / row["Image_filename"], tuple(pictures / name for name in _masks(row))),
        )
        for row in sorted(rows, key=lambda row: natural_key(row["Image_filename"]))
    ]
    known = KNOWN["breast"]
    return DataSet(
        name="breast",
        spec=f"breast:{root}",
        samples=tuple(samples),
        folds=whole_groups({s.name: s.label for s in samples}, {s.name: s.name for s in samples}),
        grouping="patient (one image of each; copies were not looked for)",
        citation=known.citation,
        licence=known.licence,
    )


def _label(row: dict[str, str]) -> str:
    place = f"the clinical table: {row['Image_filename']}"
    label = label_of(row["Classification"], ("benign", "malignant", "normal"), place)
    if label != "normal" and not _masks(row):
        raise UserError(
            f"the clinical table names no mask of {row['Image_filename']}, which is {label}",
            hint="restore it from the release",
        )
    return label


def _masks(row: dict[str, str]) -> list[str]:
    return [name.strip() for name in row["Mask_tumor_filename"].split("&") if name.strip()]


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows of the sheet whose first row has ``COLUMNS``."""
    try:
        sheets = _sheets(path)
    except (OSError, zipfile.BadZipFile, KeyError, IndexError, ValueError, ElementTree.ParseError) as error:
        raise UserError(f"{path} cannot be read as a spreadsheet ({error})", hint="download it again") from error
    for header, *body in filter(None, sheets):
        columns = {name.strip(): column for column, name in header.items()}
        if set(COLUMNS) <= columns.keys():
            rows = [{name: cells.get(columns[name], "").strip() for name in COLUMNS} for cells in body]
            rows = [row for row in rows if row["Image_filename"]]
            _check_names(path, rows)
            return rows
    raise UserError(f"{path} has no sheet with the columns {', '.join(COLUMNS)}", hint="download it again")


def _check_names(path: Path, rows: list[dict[str, str]]) -> None:
    seen: set[str] = set()
    for row in rows:
        for name in (row["Image_filename"], *_masks(row)):
            if not _NAME.fullmatch(name) or name in seen:
                raise UserError(
                    f"{path} names the file {name!r} twice or wrongly; names look like case001.png",
                    hint="download it again",
                )
            seen.add(name)


def _sheets(path: Path) -> list[list[dict[str, str]]]:
    """Text of the cells of every sheet: sheets of rows of columns (by their letters)."""
    with zipfile.ZipFile(path) as book:
        names = book.namelist()
        shared = []
        if "xl/sharedStrings.xml" in names:
            shared = [_text(entry) for entry in _parse(book, "xl/sharedStrings.xml").iter(f"{_SPACE}si")]
        return [
            [_cells(row, shared) for row in _parse(book, name).iter(f"{_SPACE}row")]
            for name in sorted(names)
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)
        ]


def _parse(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > _MAX_SHEET:
        raise ValueError(f"{name} is larger than {_MAX_SHEET:,} bytes")
    return ElementTree.fromstring(book.read(name))


def _cells(row: ElementTree.Element, shared: list[str]) -> dict[str, str]:
    cells = {}
    for cell in row.iter(f"{_SPACE}c"):
        text = _text(cell)
        if cell.get("t") == "s":
            text = shared[int(text)]
        cells[(cell.get("r") or "").rstrip("0123456789")] = text
    return cells


def _text(element: ElementTree.Element) -> str:
    """What a cell or a shared string says; its parts may differ in font. Formulas do not count."""
    return "".join(part.text or "" for part in element.iter() if part.tag in (f"{_SPACE}t", f"{_SPACE}v"))
