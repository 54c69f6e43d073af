"""Samples and a predictor -> a row per image -> a summary. The tables are files that a person can read."""

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.samples import DataSet, Sample, digest_of
from sonoseg.errors import UserError
from sonoseg.evaluation.calibration import Reliability, count, nothing_counted
from sonoseg.evaluation.intervals import Interval, bootstrap_difference, bootstrap_mean
from sonoseg.evaluation.metrics import EMPTY_RULE, measure
from sonoseg.files import write_csv
from sonoseg.images.pictures import Image
from sonoseg.prediction.predictor import Prediction, Predictor

KEYS = ("image", "label", "group", "model", "fold", "seed")
SIZE = ("height", "width")
MEASURES = tuple(measure(np.zeros((1, 1), bool), np.zeros((1, 1), bool)))
TOLD = ("confidence", "marks")
COLUMNS = (*KEYS, *SIZE, *MEASURES, *TOLD)
"""The columns of ``cases.csv``; a measure that is undefined is an empty field.

height, width: of the image, in pixels. confidence: ``Prediction.confidence``. marks: 1 where marks are burnt into the
image, 0 where not, empty where nobody looked. Tables of earlier versions lack these four.
"""

LESION_MEASURES = ("dice", "iou", "sensitivity", "precision", "hd95", "nsd", "nsd_mm")
ALL_MEASURES = ("accuracy", "study_accuracy")
NOTHING = "nothing drawn"
"""The row that every table carries: what an empty answer scores."""

BATCH = 16

Case = dict[str, Any]

HasMarks = Callable[[Image], bool]
"""Image -> whether marks (calipers, text) are burnt into it."""


@dataclass(frozen=True)
class Evaluation:
    """What evaluating gives: a row for each image, in order, and its count of the bands around the outlines."""

    cases: list[Case]
    reliability: Reliability


def evaluate(
    predictor: Predictor,
    data: DataSet,
    samples: Sequence[Sample],
    model: str,
    fold: int,
    seed: int,
    trained_on: Iterable[str] = (),
    progress: Callable[[int, int], None] | None = None,
    has_marks: HasMarks | None = None,
) -> Evaluation:
    """Measure every sample at its own size, in order; a row each, with ``COLUMNS``.

    trained_on: digests of the images that the network has seen. has_marks: tells whether marks are burnt into an image;
    without it nobody looks. Errors: ``UserError`` where a seen image is among the samples, and those of
    ``Sample.read``.
    """
    groups, seen = data.folds.groups, frozenset(trained_on)
    cases: list[Case] = []
    reliability = nothing_counted()

    def one(sample: Sample, prediction: Prediction, truth: NDArray[np.bool_]) -> tuple[Case, Reliability]:
        keys = (sample.name, sample.label, groups[sample.name], model, fold, seed)
        size = dict(zip(SIZE, prediction.image.shape, strict=True))
        found = measure(prediction.mask, truth, prediction.probability, prediction.image.spacing)
        marks = int(has_marks(prediction.image)) if has_marks else math.nan
        told = {"confidence": prediction.confidence, "marks": marks}
        return dict(zip(KEYS, keys, strict=True)) | size | found | told, count(prediction.probability, truth)

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(samples), BATCH):
            part = samples[start : start + BATCH]
            pairs = list(pool.map(lambda sample: sample.read(), part))
            for sample, (image, _) in zip(part, pairs, strict=True):
                _refuse_seen(sample, digest_of(sample, image) in seen)
            predictions = predictor.predict_batch([image for image, _ in pairs])
            for case, counted in pool.map(one, part, predictions, [truth for _, truth in pairs]):
                cases.append(case)
                reliability += counted
            if progress:
                progress(len(cases), len(samples))
    return Evaluation(cases, reliability)


def _refuse_seen(sample: Sample, seen: bool) -> None:
    if seen:
        raise UserError(
            f"{sample.name} was in the training of this model; a figure on images that were seen means nothing",
            hint="evaluate the held-out fold (leave --fold out), or another set",
        )


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    """Write ``cases.csv``, whole or not at all; undefined measures are empty."""
    write_csv(path, COLUMNS, ({name: _text(value) for name, value in case.items()} for case in cases))


def read_cases(path: Path) -> list[Case]:
    """Read what ``write_cases`` wrote; the columns that an earlier version did not write are NaN.

    Errors: ``UserError`` for a file that is missing or has other columns.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", hint="`sonoseg benchmark` and `sonoseg evaluate` write such tables")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if not {*KEYS, *MEASURES} <= (given := set(reader.fieldnames or ())) <= {*COLUMNS}:
            raise UserError(f"{path} is not a table of cases of this version", hint="evaluate again")
        return [{name: _value(name, row[name] if name in given else "") for name in COLUMNS} for row in reader]


def summarise(cases: Sequence[Case]) -> dict[str, Any]:
    """Sum the rows up: each model on lesion images, on normals and on all, its differences, and nothing drawn.

    Means have 95 % intervals by resampling groups. Several folds of one model are one sample of images; several seeds
    are averaged per image first. The value is plain data; what is undefined is None.
    """
    models = list(dict.fromkeys(case["model"] for case in cases))
    tables = {model: average_by_image([case for case in cases if case["model"] == model]) for model in models}
    return {
        "empty_rule": EMPTY_RULE,
        "models": {model: _summary(rows) for model, rows in tables.items()},
        "nothing": _summary([_as_nothing(case) for case in tables[models[0]]]) if models else None,
        "differences": [_difference(tables, a, b) for a, b in combinations(models, 2)],
    }


def average_by_image(cases: Sequence[Case]) -> list[Case]:
    """One row for each image of one model: the mean over its seeds (and folds, where several judged it)."""
    by_name: dict[str, list[Case]] = {}
    for case in cases:
        by_name.setdefault(case["image"], []).append(case)
    return [
        rows[0] if len(rows) == 1 else rows[0] | {m: _mean([row[m] for row in rows]) for m in (*MEASURES, "confidence")}
        for rows in by_name.values()
    ]


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _summary(rows: Sequence[Case]) -> dict[str, Any]:
    lesion = [row for row in rows if row["tp"] + row["fn"] > 0]
    normal = [row for row in rows if row["tp"] + row["fn"] == 0]
    found, false = (sum(row[name] for row in rows) for name in ("lesions_found", "false_lesions"))
    return {
        "folds": sorted({row["fold"] for row in rows}),
        "lesion": {
            "images": len(lesion),
            **{measure_: _interval(lesion, measure_) for measure_ in LESION_MEASURES},
            "dice_median": plain_number(float(np.median([row["dice"] for row in lesion]))) if lesion else None,
        },
        "normal": {
            "images": len(normal),
            "drawn": _interval(normal, "drawn"),
            "drawn_share_of_image": _interval([row | {"share": _share_drawn(row)} for row in normal], "share"),
        },
        "all": {"images": len(rows), **{measure_: _interval(rows, measure_) for measure_ in ALL_MEASURES}},
        "detection": {
            "lesions": sum(row["lesions"] for row in rows),
            "found": found,
            "false": false,
            "found_iou_50": sum(row["lesions_found_50"] for row in rows),
            "false_iou_50": sum(row["false_lesions_50"] for row in rows),
            "false_per_image": plain_number(false / len(rows)) if rows else None,
        },
    }


def _share_drawn(row: Case) -> float:
    return float(row["drawn_pixels"] / (row["tp"] + row["fp"] + row["fn"] + row["tn"]))


def _as_nothing(case: Case) -> Case:
    """What an empty mask with probability 0 scores on the same image."""
    lesion, total = case["tp"] + case["fn"], case["tp"] + case["fp"] + case["fn"] + case["tn"]
    silent = dict.fromkeys(MEASURES, math.nan) | {"tp": 0, "fp": 0, "fn": lesion, "tn": total - lesion}
    silent |= {"accuracy": 1 - lesion / total, "study_accuracy": 1 - lesion / total, "lesions": case["lesions"]}
    silent |= dict.fromkeys(("drawn", "drawn_pixels", "lesions_found", "false_lesions"), 0)
    silent |= dict.fromkeys(("lesions_found_50", "false_lesions_50"), 0)
    if lesion:
        silent |= dict.fromkeys(("dice", "iou", "sensitivity", "nsd"), 0.0)
        silent["nsd_mm"] = math.nan if math.isnan(case["nsd_mm"]) else 0.0
        silent["hd95"] = math.hypot(case["height"], case["width"])
    return case | silent


def _difference(tables: dict[str, list[Case]], first: str, second: str) -> dict[str, Any]:
    one, other = ({row["image"]: row for row in tables[model]} for model in (first, second))
    shared = [name for name in one if name in other and not math.isnan(one[name]["dice"])]
    interval = bootstrap_difference(
        [one[name]["dice"] for name in shared],
        [other[name]["dice"] for name in shared],
        [one[name]["group"] for name in shared],
    )
    return {"first": first, "second": second, "measure": "dice", **plain(interval)}


def _interval(rows: Sequence[Case], name: str) -> dict[str, Any]:
    return plain(bootstrap_mean([row[name] for row in rows], [row["group"] for row in rows]))


def plain(interval: Interval) -> dict[str, Any]:
    """An interval as plain data."""
    return {name: plain_number(value) for name, value in vars(interval).items()}


def plain_number(value: float) -> float | None:
    """A figure as plain data: six decimals, None for NaN."""
    return None if math.isnan(value) else round(value, 6)


def _text(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def _value(name: str, text: str) -> Any:
    if name in ("image", "label", "group", "model"):
        return text
    number = float(text) if text else math.nan
    return number if name in _FRACTIONS or math.isnan(number) else int(number)


_FRACTIONS = (*LESION_MEASURES, *ALL_MEASURES, "confidence")
