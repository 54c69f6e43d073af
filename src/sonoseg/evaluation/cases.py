"""A row per image, model, fold and seed: what was measured. The table is a file that a person can read."""

import csv
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.evaluation.resampling import Runs, mean_of_runs
from sonoseg.files import write_csv

NOTHING = "nothing drawn"
"""The row that every table carries: what an empty answer scores."""


@dataclass(frozen=True)
class Case:
    """One image that one network was judged on; its fields are the columns of ``cases.csv``, in this order.

    height, width: of the image, in pixels. tp to drawn_pixels: as ``metrics.measure`` gives them. confidence:
    ``Prediction.confidence``. marks: 1 where marks are burnt into the image, 0 where not. presence:
    ``Prediction.presence``. diameter, true_diameter: ``sizes.longest`` of what was drawn and of the truth. A measure
    that is undefined or was not told is NaN, and so is what a table lacks. Means over runs are fractions.
    """

    image: str
    label: str
    group: str
    model: str
    fold: int
    seed: int
    height: float
    width: float
    tp: float
    fp: float
    fn: float
    tn: float
    dice: float
    iou: float
    sensitivity: float
    precision: float
    accuracy: float
    study_accuracy: float
    hd95: float
    nsd: float
    nsd_mm: float
    lesions: float
    lesions_found: float
    false_lesions: float
    lesions_found_50: float
    false_lesions_50: float
    drawn: float
    drawn_pixels: float
    confidence: float
    marks: float
    presence: float = math.nan
    diameter: float = math.nan
    true_diameter: float = math.nan

    @property
    def pixels(self) -> float:
        """Pixels of the image."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def has_lesion(self) -> bool:
        """Whether the truth holds any pixel of lesion."""
        return self.tp + self.fn > 0

    @property
    def lesion_share(self) -> float:
        """Pixels of lesion / pixels of the image."""
        return float((self.tp + self.fn) / self.pixels)

    @property
    def drawn_share(self) -> float:
        """Pixels drawn / pixels of the image."""
        return float(self.drawn_pixels / self.pixels)

    @property
    def score(self) -> float:
        """What a person has of the image, in [0, 1]: its Dice; without a lesion 1 where nothing is drawn, else 0."""
        return self.dice if self.has_lesion else 1 - self.drawn

    def silenced(self, least_presence: float) -> "Case":
        """What the same network scores where nothing is drawn below this presence, as ``Predictor`` has it.

        Of an image that is one window, as those of all sets are. Itself where no presence is told.
        """
        if not self.presence < least_presence:
            return self
        return replace(self.silent, study_accuracy=self.study_accuracy, confidence=1 - self.presence)

    @property
    def silent(self) -> "Case":
        """What an empty mask with probability 0 scores on the same image."""
        found: dict[str, Any] = dict.fromkeys(MEASURES, math.nan) | {
            "tp": 0,
            "fp": 0,
            "fn": self.tp + self.fn,
            "tn": self.tn + self.fp,
        }
        found |= dict.fromkeys(("accuracy", "study_accuracy"), 1 - self.lesion_share) | {"lesions": self.lesions}
        found |= dict.fromkeys(("drawn", "drawn_pixels", "lesions_found", "false_lesions"), 0)
        found |= dict.fromkeys(("lesions_found_50", "false_lesions_50"), 0) | {"diameter": math.nan}
        if self.has_lesion:
            found |= dict.fromkeys(("dice", "iou", "sensitivity", "nsd"), 0.0)
            found["nsd_mm"] = math.nan if math.isnan(self.nsd_mm) else 0.0
            found["hd95"] = math.hypot(self.height, self.width)
        return replace(self, **found)


COLUMNS = tuple(field.name for field in fields(Case))
"""The columns of ``cases.csv``; a measure that is undefined is an empty field."""

TEXTS = ("image", "label", "group", "model")
KEYS = (*TEXTS, "fold", "seed")
MEASURES = COLUMNS[COLUMNS.index("tp") : COLUMNS.index("drawn_pixels") + 1]
TOGETHER = (("presence",), ("diameter", "true_diameter"))
"""Columns that are written only where a row tells one of them: not every network has a head for presence, and earlier
tables told no diameters."""
TOLD = tuple(name for part in TOGETHER for name in part)
LATER = ("height", "width", "confidence", "marks", *TOLD)
"""Columns that tables may lack."""

COUNTS = ("tp", "fp", "fn", "tn", *MEASURES[MEASURES.index("lesions") :])
"""Measures that are whole numbers in a row of one run."""


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write ``cases.csv``, whole or not at all; undefined measures are empty."""
    rows = list(cases)
    untold = (part for part in TOGETHER if all(math.isnan(getattr(row, name)) for row in rows for name in part))
    left_out = {name for part in untold for name in part}
    columns = [name for name in COLUMNS if name not in left_out]
    write_csv(path, columns, ({name: _text(getattr(row, name)) for name in columns} for row in rows))


def read_cases(path: Path) -> list[Case]:
    """Read what ``write_cases`` wrote; the columns that a table lacks are NaN.

    Errors: ``UserError`` for a file that is missing, damaged or has other columns, and for what is no number.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", hint="`sonoseg benchmark` and `sonoseg evaluate` write such tables")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            given = set(reader.fieldnames or ())
            if not {*COLUMNS} - {*LATER} <= given <= {*COLUMNS}:
                raise UserError(f"{path} is not a table of cases of this version", hint="evaluate again")
            return [_case(row, given, f"{path}, line {reader.line_num}") for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({error})", hint="copy it again, or evaluate again") from error


def _case(row: Mapping[Any, Any], given: Collection[str], place: str) -> Case:
    if None in row or None in row.values():
        raise UserError(f"{place} has another number of fields than the table has columns", hint="evaluate again")
    try:
        return Case(**{name: _value(name, row[name] if name in given else "") for name in COLUMNS})
    except (ValueError, OverflowError) as error:
        raise UserError(f"{place}: {error}", hint="evaluate again") from error


def by_model(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """The rows of each model, in order of appearance."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.model, []).append(case)
    return found


@dataclass(frozen=True, eq=False)
class Table:
    """The images that one model was judged on, and what each of its runs measured on them.

    rows: a case for each image, in order of appearance, its measures the means over the runs that judged it. runs: the
    fold and seed of each run. judged: by image, the case of each run or None.
    """

    rows: tuple[Case, ...]
    runs: tuple[tuple[int, int], ...]
    judged: tuple[tuple[Case | None, ...], ...]

    @property
    def groups(self) -> NDArray[np.str_]:
        """The group of each row."""
        return np.array([row.group for row in self.rows], np.str_)

    def column(self, name: str) -> Runs:
        """A measure (or property) of the rows, as ``intervals`` resamples it."""
        values = [[math.nan if case is None else getattr(case, name) for case in cases] for cases in self.judged]
        model = self.rows[0].model if self.rows else ""
        recipes = [(model, fold) for fold, _ in self.runs]
        return mean_of_runs(np.reshape(np.array(values, np.float64), (len(values), len(self.runs))), recipes)

    def part(self, kept: Iterable[bool]) -> "Table":
        """Only some of the images."""
        places = [place for place, keep in enumerate(kept) if keep]
        return replace(self, rows=tuple(self.rows[i] for i in places), judged=tuple(self.judged[i] for i in places))


def table(cases: Sequence[Case]) -> Table:
    """Sort the rows of one model by image and run; where a run judged an image twice the last one counts."""
    runs = tuple(dict.fromkeys((case.fold, case.seed) for case in cases))
    places = {run: place for place, run in enumerate(runs)}
    by_image: dict[str, list[Case | None]] = {}
    for case in cases:
        by_image.setdefault(case.image, [None] * len(runs))[places[case.fold, case.seed]] = case
    judged = tuple(tuple(row) for row in by_image.values())
    return Table(tuple(_averaged([case for case in row if case is not None]) for row in judged), runs, judged)


def _averaged(rows: Sequence[Case]) -> Case:
    if len(rows) == 1:
        return rows[0]
    names = (*MEASURES, "confidence", *TOLD)
    means: dict[str, Any] = {name: _mean([getattr(row, name) for row in rows]) for name in names}
    return replace(rows[0], **means)


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _text(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def _value(name: str, text: str) -> Any:
    if name in TEXTS:
        return text
    number = float(text) if text else math.nan
    whole = name in ("fold", "seed", "height", "width", "marks") or name in COUNTS
    if not whole or math.isnan(number):
        return number
    if number != int(number):
        raise ValueError(f"{name} is {text}; a whole number is needed")
    return int(number)
