"""What leakage does: one recipe on folds that keep groups together and on random ones, compared image by image.

On random folds many a test image has a copy in training. That the network does better there may be the copy, or the
luck of another split; images that have no copy in training show the luck alone. The difference of the two differences
is what the copies did.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sonoseg.data.dealing import assign
from sonoseg.data.folds import Folds, Row
from sonoseg.data.samples import DataSet
from sonoseg.evaluation.cases import read_cases
from sonoseg.evaluation.intervals import bootstrap_contrast, bootstrap_difference, bootstrap_mean, plain
from sonoseg.evaluation.summary import CASES
from sonoseg.experiments.plan import Cell
from sonoseg.files import write_csv, write_json, write_text
from sonoseg.learning.config import Config, told_settings
from sonoseg.reports.figures import counted, figure, number
from sonoseg.reports.table import markdown

if TYPE_CHECKING:
    from sonoseg.experiments.benchmark import Progress

GROUPED, RANDOM = ARMS = ("grouped", "random")
TABLE, SUMMARY, PAGE = "leakage.csv", "summary.json", "leakage.md"
COLUMNS = (
    "image", "label", "group", "grouped_fold", "random_fold", "copies_in_random_training", "dice_grouped", "dice_random"
)  # fmt: skip
"""The columns of ``leakage.csv``; Dice is empty on an image without a lesion and where its fold was not held out."""


@dataclass(frozen=True)
class Trial:
    """One recipe (its fold does not count) and the folds that are held out in turn, in both arms."""

    recipe: Config
    folds: tuple[int, ...]

    @property
    def cells(self) -> list[Cell]:
        """A cell for each fold."""
        return [Cell(self.recipe.model, replace(self.recipe, fold=fold)) for fold in self.folds]


def settings(trial: Trial) -> dict[str, Any]:
    """The settings of the recipe that decide the figures, without the paths of this machine."""
    told = told_settings(trial.recipe).items()
    return {name: value for name, value in told if name not in ("fold", "device", "devices") and value != ""}


def random_folds(data: DataSet, seed: int) -> DataSet:
    """The same set on folds as nearly everyone makes them: each image alone, classes balanced, as many as it had.

    Images that are in no fold stay out. Only this measurement may train on such a set.
    """
    labels = {row.image: row.label for row in data.folds.rows}
    kept = [row.image for row in data.folds.rows if row.fold is not None]
    drawn = assign(kept, labels, {name: name for name in kept}, data.folds.count, seed)
    rows = (Row(row.image, row.label, row.image, drawn.get(row.image)) for row in data.folds.rows)
    return replace(data, folds=Folds(tuple(rows)), grouping="none, on purpose: each image alone")


def train_arm(arm: str, trial: Trial, data: DataSet, out: Path, progress: "Progress") -> None:
    """Train and judge what the folder ``out / arm`` lacks; an arm needs nothing of the other one."""
    from sonoseg.experiments.benchmark import run_cell  # with torch, which a wrong --arm does not wait for

    arranged = data if arm == GROUPED else random_folds(data, trial.recipe.seed)
    for place, cell in enumerate(trial.cells, 1):
        progress.cell(place, len(trial.cells), f"{arm} folds, {cell.name}", None)
        run_cell(cell, arranged, cell.folder(out / arm), progress, copies_allowed=arm == RANDOM)


def missing(trial: Trial, out: Path) -> list[str]:
    """The arms that are not finished."""
    return [arm for arm in ARMS if not all((cell.folder(out / arm) / CASES).is_file() for cell in trial.cells)]


def compare(trial: Trial, data: DataSet, out: Path) -> list[dict[str, Any]]:
    """A row of ``COLUMNS`` for each image that an arm was judged on; undefined Dice is NaN. Both arms must stand."""
    arms = {arm: _dice(arm, trial, out) for arm in ARMS}
    drawn = {row.image: row.fold for row in random_folds(data, trial.recipe.seed).folds.rows}
    members: dict[str, list[str]] = defaultdict(list)
    for row in data.folds.rows:
        members[row.group].append(row.image)
    rows = []
    for row in data.folds.rows:
        if row.image in arms[GROUPED] or row.image in arms[RANDOM]:
            apart = [name for name in members[row.group] if drawn[name] not in (None, drawn[row.image])]
            dice = {f"dice_{arm}": arms[arm].get(row.image, np.nan) for arm in ARMS}
            keys = (row.image, row.label, row.group, row.fold, drawn[row.image], len(apart))
            rows.append(dict(zip(COLUMNS[:6], keys, strict=True)) | dice)
    return rows


def _dice(arm: str, trial: Trial, out: Path) -> dict[str, float]:
    tables = (read_cases(cell.folder(out / arm) / CASES) for cell in trial.cells)
    return {case.image: case.dice for cases in tables for case in cases}


def sum_up(rows: Sequence[dict[str, Any]], folds: Sequence[int]) -> dict[str, Any]:
    """Mean lesion Dice of both arms, and what random folds add with a copy in training and without. Plain data.

    rows: as ``compare`` gives them. Intervals are over the groups of the set; an image is paired with itself. beyond:
    random - grouped where a copy was trained on, minus the same where none was.
    """
    groups = np.array([row["group"] for row in rows])
    copy = np.array([row["copies_in_random_training"] > 0 for row in rows])
    tested = np.array([row["random_fold"] in folds for row in rows])
    grouped, random = (np.array([row[f"dice_{arm}"] for row in rows], np.float64) for arm in ARMS)
    gain = random - grouped

    def gained(part: Any) -> dict[str, Any]:
        return plain(bootstrap_difference(random[part], grouped[part], groups[part]))

    return {
        "arms": {arm: plain(bootstrap_mean(dice, groups)) for arm, dice in ((GROUPED, grouped), (RANDOM, random))},
        "tested_with_a_copy": {
            "all": plain(bootstrap_mean(copy[tested], groups[tested])),
            "lesion": plain(bootstrap_mean(copy[~np.isnan(random)], groups[~np.isnan(random)])),
        },
        "random_minus_grouped": {
            "all": gained(slice(None)),
            "with_copy": gained(copy),
            "without_copy": gained(~copy),
            "beyond": plain(bootstrap_contrast(gain, copy, groups)),
        },
    }


def write(folder: Path, rows: Sequence[dict[str, Any]], summary: dict[str, Any], about: dict[str, Any]) -> None:
    """Write ``leakage.csv``, ``summary.json`` and ``leakage.md``. about: data, settings, folds, command."""
    write_csv(folder / TABLE, COLUMNS, ({name: _text(value) for name, value in row.items()} for row in rows))
    write_json(folder / SUMMARY, {**summary, **about})
    write_text(folder / PAGE, page(summary, about))


def page(summary: dict[str, Any], about: dict[str, Any]) -> str:
    """The finding in Markdown."""
    arms, gains, share = summary["arms"], summary["random_minus_grouped"], summary["tested_with_a_copy"]
    lines = [
        ("lesion Dice on grouped folds", str(arms[GROUPED]["n"]), figure(arms[GROUPED])),
        ("lesion Dice on random folds", str(arms[RANDOM]["n"]), figure(arms[RANDOM])),
        ("random - grouped, all images", str(gains["all"]["n"]), figure(gains["all"], sign=True)),
        ("... with a copy in training", str(gains["with_copy"]["n"]), figure(gains["with_copy"], sign=True)),
        ("... without", str(gains["without_copy"]["n"]), figure(gains["without_copy"], sign=True)),
        ("**what the copies did**", str(gains["beyond"]["n"]), figure(gains["beyond"], sign=True)),
    ]
    settings = ", ".join(f"{name} {value}" for name, value in about["settings"].items())
    many, few = _percent(share["all"]), _percent(share["lesion"])
    return (
        f"# What leakage does: {about['data']}\n\n"
        "One recipe on folds that keep groups together and on random ones, "
        f"{counted(len(about['folds']), 'fold')} of each. On random folds {many} of the test images have a copy "
        f"(another image of their group) in training, {few} of "
        "those with a lesion. Each image is paired with itself. The last line is the difference of the two before it: "
        "the luck of the split is in both. Intervals are 95 %, by resampling groups.\n\n"
        f"{markdown(('', 'images', '[95 %]'), lines)}\nSettings: {settings}.\n\n    {about['command']}\n"
    )


def _percent(share: dict[str, Any]) -> str:
    return "no part" if share["mean"] is None else f"{number(100 * share['mean'], 0)} %"


def _text(value: Any) -> Any:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
