"""An entry: somebody's figures under the protocol, a folder of ``entry.toml`` and ``cases.csv``, checked when read.

What is checked: the form of both files, that the rows are those of the declared folds and seeds, each image once, that
the folds are the set's own (by their checksum), that every measure lies in its range and agrees with the row's counts.
What cannot be checked is declared by the authors: what was trained on, and that no image of a test fold was.
"""

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from sonoseg.data import folds as tables
from sonoseg.data.copies import natural_key
from sonoseg.data.folds import Folds
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import NOTHING, Case, read_cases
from sonoseg.evaluation.metrics import Counts, accuracy, dice, iou, precision, sensitivity
from sonoseg.evaluation.summary import CASES
from sonoseg.files import write_text

PROTOCOL = 1
"""Version of ``docs/protocol.md``."""

ENTRY, FOLDS = "entry.toml", "folds.csv"

LONGEST = 2000
"""Characters of a text in an entry."""

_CLOSE = 2e-5
"""A table has six digits of each measure."""


@dataclass(frozen=True)
class Entry:
    """What the authors say of their figures; the fields are those of ``entry.toml``.

    name: as it is called on a page. set: name of the set, such as busi. folds_sha256: ``folds.checksum`` of its folds.
    folds, seeds: those that were judged. trained_on: in the authors' words. licence: of the masks or the network.
    held_out: whether the authors declare that the network that judged an image had seen neither it nor a copy of it,
    nor been chosen by it. model: what the rows are called by, where that is not the name. protocol: ``PROTOCOL``.
    """

    name: str
    set: str
    folds_sha256: str
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    trained_on: str
    licence: str
    held_out: bool
    model: str = ""
    authors: str = ""
    source: str = ""
    protocol: int = PROTOCOL

    @property
    def rows_called(self) -> str:
        """The model that the entry's rows are called by."""
        return self.model or self.name


TEMPLATE = """\
# An entry for `sonoseg leaderboard`, with cases.csv and folds.csv beside it. Fill in what is empty.
name = {name}
set = {set}
folds_sha256 = "{folds_sha256}"
folds = {folds}
seeds = {seeds}
protocol = {protocol}
authors = ""
source = ""        # where the network or a paper is found
licence = ""       # of the masks or the network
trained_on = ""    # in your words: every set and fold, and what the network began with
# true if you declare that the network that was judged on an image had seen neither it nor a copy of it (its group),
# and that no threshold, epoch or setting was chosen on it
held_out = false
"""


def write_template(path: Path, name: str, data: str, of: Folds, held: Iterable[int], seeds: Iterable[int]) -> None:
    """Write an ``entry.toml`` to be filled in. data: name of the set; held: the folds that were judged."""
    told = {"name": _quoted(name), "set": _quoted(data), "folds": [*held], "seeds": [*seeds], "protocol": PROTOCOL}
    write_text(path, TEMPLATE.format(folds_sha256=tables.checksum(of), **told))


def read_entry(folder: Path) -> tuple[Entry, list[Case]]:
    """Read an entry and check all that can be checked; its rows alone, those of a reference are passed over.

    Errors: ``UserError`` naming the file and what is wrong, for each of the checks above.
    """
    entry = _read_form(folder / ENTRY)
    cases = [case for case in read_cases(folder / CASES) if case.model == entry.rows_called]
    check(folder, entry, cases)
    return entry, cases


def check(folder: Path, entry: Entry, cases: Sequence[Case]) -> None:
    """Check the rows of an entry. Errors: ``UserError`` as of ``read_entry``."""
    _check_rows(folder / CASES, entry, cases, _folds_of(entry, folder))


def _read_form(path: Path) -> Entry:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read as an entry ({error})", hint=_HOW) from error
    known = {field.name: field for field in fields(Entry)}
    needed = [name for name, field in known.items() if field.default is MISSING]
    if unknown := sorted(content.keys() - known.keys()):
        raise UserError(f"{path} has {', '.join(unknown)}; {', '.join(known)} are known", hint=_HOW)
    if lacking := [name for name in needed if name not in content]:
        raise UserError(f"{path} has no {', '.join(lacking)}", hint=_HOW)
    for name, value in content.items():
        if sentence := _problem(known[name].type, value, name in needed):
            raise UserError(f"{path}: {name} is {value!r}; {sentence} is needed", hint=_HOW)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
    entry = Entry(**values)
    if NOTHING in (entry.name.strip(), entry.model.strip()):
        raise UserError(f"{path}: the name is {NOTHING!r}, as a row of every page is called", hint="give it another")
    if entry.protocol != PROTOCOL:
        raise UserError(f"{path} is of protocol {entry.protocol}; {PROTOCOL} is this version's", hint="score again")
    return entry


def _problem(kind: Any, value: Any, needed: bool) -> str:
    """What is needed in place of a value; empty where it is right."""
    if kind is str:
        told = isinstance(value, str) and len(value) <= LONGEST and (bool(value.strip()) or not needed)
        return "" if told else f"a text of {1 if needed else 0} to {LONGEST} characters"
    if kind is bool:
        return "" if isinstance(value, bool) else "true or false"
    if kind is int:
        return "" if type(value) is int else "a whole number"
    right = isinstance(value, list) and value and all(type(each) is int and each >= 0 for each in value)
    return "" if right and len(set(value)) == len(value) else "a list of different numbers from 0"


def _folds_of(entry: Entry, folder: Path) -> Folds:
    """The folds that the entry was judged on: the shipped ones of its set, else those beside it, of its checksum."""
    try:
        found, named = tables.shipped(entry.set), f"the shipped folds of {entry.set}"
    except UserError:
        found, named = tables.read(folder / FOLDS), str(folder / FOLDS)
    if tables.checksum(found) != entry.folds_sha256:
        raise UserError(
            f"{folder} is for folds with the checksum {entry.folds_sha256}; {named} have {tables.checksum(found)}",
            hint="score the masks on those folds",
        )
    for fold in entry.folds:
        found.test(fold)
    return found


def _check_rows(path: Path, entry: Entry, cases: Sequence[Case], own: Folds) -> None:
    """Refuse rows that are not those of the folds and seeds, each image once for each seed."""
    if not cases:
        raise UserError(f"{path} has no row of {entry.rows_called}", hint=f'write model = "..." into {ENTRY}')
    rows = {row.image: row for row in own.rows if row.fold in entry.folds}
    for seed in entry.seeds:
        check_seed(path, seed, [case for case in cases if case.seed == seed], rows)
    if other := {case.seed for case in cases} - set(entry.seeds):
        raise UserError(
            f"{path} has rows of seed {min(other)}, which is not told",
            hint=f"name it in {ENTRY}, or take the rows away",
        )


def check_seed(path: Path, seed: int, cases: Sequence[Case], rows: Mapping[str, tables.Row]) -> None:
    """Refuse rows of one seed that are not those of the images, each once, or whose figures cannot be.

    path: of their table. rows: what the folds say of each image that is judged, by its name.
    Errors: ``UserError`` naming the table and what is wrong.
    """
    found: dict[str, Case] = {}
    for case in cases:
        if found.setdefault(case.image, case) is not case:
            raise UserError(f"{path} has {case.image} twice for seed {seed}", hint=_AGAIN)
        row = rows.get(case.image)
        if row is None:
            raise UserError(f"{path} has {case.image}, which is of none of the folds that are told", hint=_AGAIN)
        if (case.group, case.label, case.fold) != (row.group, row.label, row.fold):
            raise UserError(
                f"{path} has {case.image} as {case.label} of group {case.group} and fold {case.fold}; in the folds it "
                f"is {row.label}, {row.group} and {row.fold}",
                hint=_AGAIN,
            )
    if missing := sorted(rows.keys() - found.keys(), key=natural_key):
        raise UserError(
            f"{path} lacks {len(missing)} of the {len(rows)} images for seed {seed}, the first is {missing[0]}",
            hint="a missing answer is never skipped; judge all images of the folds",
        )
    for case in cases:
        if problem := check_row(case):
            raise UserError(f"{path}, {case.image}: {problem}", hint=_AGAIN)


def check_row(case: Case) -> str:
    """What is wrong with the figures of a row, in words; empty where they are in range and agree with its counts."""
    if not all(_whole(value) for value in (case.tp, case.fp, case.fn, case.tn)):
        return "tp, fp, fn and tn must be whole numbers from 0"
    counts = Counts(int(case.tp), int(case.fp), int(case.fn), int(case.tn))
    lesion = counts.lesion > 0
    if not math.isnan(case.height) and case.height * case.width != counts.pixels:
        return f"tp + fp + fn + tn is {counts.pixels}, the image has {case.height:g} x {case.width:g} pixels"
    expected = {
        "dice": dice(counts),
        "iou": iou(counts),
        "sensitivity": sensitivity(counts),
        "precision": precision(counts) if lesion else math.nan,
        "accuracy": accuracy(counts),
        "drawn": int(counts.drawn > 0),
        "drawn_pixels": counts.drawn,
    }
    for name, value in expected.items():
        if not _alike(found := getattr(case, name), value):
            return f"{name} is {_told(found)}, by its counts it is {_told(value)}"
    longest = math.hypot(case.height, case.width) if not math.isnan(case.height) else math.inf
    return _out_of_range(case, lesion, longest)


def _out_of_range(case: Case, lesion: bool, longest: float) -> str:
    needed = {"hd95": (0, longest), "nsd": (0, 1)} if lesion else {}
    unknown = ("study_accuracy", "nsd_mm", "confidence", "presence", "marks")
    ranges = {**needed, **dict.fromkeys(unknown, (0, 1)), "diameter": (0, longest), "true_diameter": (0, longest)}
    for name, (low, high) in ranges.items():
        value = getattr(case, name)
        if not low <= value <= high * (1 + 1e-5) and not (math.isnan(value) and name not in needed):
            return f"{name} is {_told(value)}; {low} to {high:g} is possible"
    if not lesion and not (math.isnan(case.hd95) and math.isnan(case.nsd)):
        return "hd95 and nsd are told without a lesion; they are undefined there"
    found = (case.lesions, case.lesions_found, case.false_lesions, case.lesions_found_50, case.false_lesions_50)
    if not all(map(_whole, found)) or not case.lesions_found_50 <= case.lesions_found <= case.lesions:
        return f"lesions, found and false ones are {', '.join(map(_told, found))}, which cannot be"
    return ""


def same_truth(cases: Iterable[Case], known: Mapping[str, Case]) -> str:
    """The first image whose size or lesion another table tells otherwise, in words; empty where all agree."""
    for case in cases:
        other = known.get(case.image)
        if other and (other.pixels, other.tp + other.fn) != (case.pixels, case.tp + case.fn):
            return (
                f"{case.image} has {case.pixels:g} pixels, {case.tp + case.fn:g} of lesion; "
                f"{other.model} has {other.pixels:g} and {other.tp + other.fn:g}"
            )
    return ""


def _whole(value: float) -> bool:
    return math.isfinite(value) and value >= 0 and value == int(value)


def _alike(found: float, value: float) -> bool:
    if math.isnan(value) or math.isnan(found):
        return math.isnan(value) and math.isnan(found)
    return abs(found - value) <= _CLOSE * max(1.0, abs(value))


def _told(value: float) -> str:
    return "empty" if math.isnan(value) else f"{value:g}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


_HOW = "sonoseg score writes an entry.toml to be filled in; docs/own-network.md says what stands in it"
_AGAIN = "score the masks again (sonoseg score), or evaluate again"
