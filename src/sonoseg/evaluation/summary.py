"""Cases and counts of bands -> ``summary.json``: every figure that is shown anywhere, computed once."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sonoseg.data import folds
from sonoseg.data.samples import DataSet
from sonoseg.evaluation import breakdown, calibration, paired, presence, sizes
from sonoseg.evaluation.breakdown import Scores
from sonoseg.evaluation.calibration import Counted
from sonoseg.evaluation.cases import Case, Table, by_model, table, write_cases
from sonoseg.evaluation.intervals import bootstrap_mean, plain, plain_number, share
from sonoseg.evaluation.metrics import EMPTY_RULE
from sonoseg.files import write_json

CASES, SUMMARY, CALIBRATION = "cases.csv", "summary.json", "calibration.csv"

LESION_MEASURES = ("dice", "iou", "sensitivity", "precision", "hd95", "nsd", "nsd_mm")
ALL_MEASURES = ("accuracy", "study_accuracy")

CERTAIN = 0.8
"""Share of the images that is kept in ``dice_of_most_certain``; the least certain rest is set aside for a person."""

KEPT = (1.0, 0.9, 0.8, 0.5)
"""Shares of the images for which the mean Dice of the most certain ones is told."""

LEVELS = (0.9, 0.8, 0.7, 0.5)
"""Dice for which the share of images that reach it is told."""

CURVE = np.linspace(0, 1, 51)
"""Where the curves of a page are told."""

DRAWN_RULE = (
    "An image without a lesion is drawn on where any pixel is left after the model's own rule for specks; a network "
    "that was only trained has no such rule."
)

ONE_SEED = "One seed was trained of each model: what another seed would change is not in the intervals."
SEVERAL_SEEDS = "The seeds of a model are drawn with replacement too, so that their share is in the intervals."
INTERVAL_RULE = (
    "95 %: percentiles of 2,000 draws of whole groups, 10,000 for several comparisons at once; for the share of "
    "normals drawn on, Wilson's interval at the number of independent images that would vary like the draws."
)
"""How intervals are made, for the page that shows them."""


def sum_up(cases: Sequence[Case], counts: Sequence[Counted] = ()) -> dict[str, Any]:
    """Sum the rows up. Plain data; what is undefined is None, and a part without numbers is left out.

    Several folds of one model are one sample of images; several seeds are averaged per image first, and drawn for the
    intervals. ``calibration`` has the models that ``counts`` has.
    """
    tables = {model: table(rows) for model, rows in by_model(cases).items()}
    scores = breakdown.lesion_scores(cases)
    seeds = breakdown.by_seed(cases)
    models = {
        model: _model(found) | _of_scores(scores, place) | _seeds(seeds.get(model, {}))
        for place, (model, found) in enumerate(tables.items())
    }
    silent = _model(_silent(next(iter(tables.values()))), certain=True) if tables else None
    several = any(len(values["seeds"]["dice"]) > 1 for values in models.values() if "seeds" in values)
    summary = {
        "empty_rule": EMPTY_RULE,
        "drawn_rule": DRAWN_RULE,
        "interval_rule": {"all": INTERVAL_RULE, "seeds": SEVERAL_SEEDS if several else ONE_SEED},
        "tested": {"images": len({c.image for c in cases}), "groups": len({c.group for c in cases})},
        "models": models,
        "nothing": silent,
        "margin": paired.MARGIN,
        "differences": [_difference(each) for each in paired.differences(scores)],
        "strata": _strata(scores),
        "picked": _picked(cases, scores),
    }
    by_name: dict[str, list[Counted]] = {}
    for row in counts:
        by_name.setdefault(row.model, []).append(row)
    if by_name:
        summary["calibration"] = {model: calibration.summarise(rows) for model, rows in by_name.items()}
    return summary | {"curves": _curves(scores)}


def of_one(cases: Sequence[Case]) -> dict[str, Any]:
    """The figures of one model alone, as ``sum_up`` has them under its name: means with intervals; plain data."""
    return _model(table(cases))


def of_nothing(cases: Sequence[Case]) -> dict[str, Any]:
    """What drawing nothing scores on the images of one model; plain data."""
    return _model(_silent(table(cases)), certain=True)


def of_set(data: DataSet) -> dict[str, Any]:
    """What a summary says of the set: its name, images, groups, source, and the checksum of its folds."""
    return {
        "name": data.name,
        "images": len(data.samples),
        "used": sum(row.fold is not None for row in data.folds.rows),
        "grouping": data.grouping,
        "citation": data.citation,
        "licence": data.licence,
        "folds_sha256": folds.checksum(data.folds),
    }


def write_tables(folder: Path, cases: Sequence[Case], counts: Sequence[Counted], summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``, ``calibration.csv`` and, last, ``cases.csv``: where it stands, all of them do."""
    write_json(folder / SUMMARY, summary)
    calibration.write(folder / CALIBRATION, counts)
    write_cases(folder / CASES, cases)


def lesion_dice(cases: Iterable[Case]) -> dict[str, Any]:
    """Mean Dice of one model's images with a lesion, with its interval; plain data."""
    found = table([case for case in cases if case.has_lesion])
    return _mean(found, "dice")


def _model(found: Table, certain: bool = False) -> dict[str, Any]:
    """The figures of one model. certain: whether what it draws on normals is known beforehand."""
    lesion, normal = (found.part(row.has_lesion is kept for row in found.rows) for kept in (True, False))
    drawn = bootstrap_mean if certain else share
    return {
        "folds": sorted({row.fold for row in found.rows}),
        "lesion": {
            "images": len(lesion.rows),
            **{measure: _mean(lesion, measure) for measure in LESION_MEASURES},
            "dice_median": _median(lesion, "dice"),
            "hd95_median": _median(lesion, "hd95"),
            "hd95_drawn": _mean(lesion.part(row.drawn > 0 for row in lesion.rows), "hd95"),
        },
        "normal": {
            "images": len(normal.rows),
            "drawn": plain(drawn(normal.column("drawn"), normal.groups)),
            "drawn_share_of_image": _mean(normal, "drawn_share"),
        },
        "all": {"images": len(found.rows), **{measure: _mean(found, measure) for measure in ALL_MEASURES}},
        "detection": _detection(found.rows),
        **({"diameter": told} if not certain and (told := sizes.summarise(found.rows)) else {}),
        **({"presence": told} if not certain and (told := presence.summarise(found)) else {}),
        **({"kept_of_all": kept} if not certain and (kept := _kept_of_all(found.rows)) else {}),
    }


def _kept_of_all(rows: Sequence[Case]) -> list[dict[str, Any]]:
    """As ``kept``, of all images: one without a lesion counts 1 where nothing is drawn on it, and 0 where something is.

    Only where presence is told: no other network knows how certain its silence is.
    """
    if not rows or any(math.isnan(row.presence) for row in rows):
        return []
    worth = np.array([row.dice if row.has_lesion else float(not row.drawn) for row in rows])
    confidence = np.array([row.confidence for row in rows])
    return [{"share": part, "mean": plain_number(breakdown.kept_dice(worth, confidence, part))} for part in KEPT]


def _detection(rows: Sequence[Case]) -> dict[str, Any]:
    names = ("lesions", "lesions_found", "false_lesions", "lesions_found_50", "false_lesions_50")
    lesions, found, false, strict, false_strict = (sum(getattr(row, name) for row in rows) for name in names)
    return {
        "lesions": lesions,
        "found": found,
        "false": false,
        "found_iou_50": strict,
        "false_iou_50": false_strict,
        "found_share": plain_number(found / lesions) if lesions else None,
        "found_share_iou_50": plain_number(strict / lesions) if lesions else None,
        "false_per_image": plain_number(false / len(rows)) if rows else None,
    }


def _silent(found: Table) -> Table:
    """What drawing nothing scores on the images of a table."""
    rows = tuple(row.silent for row in found.rows)
    return Table(rows, ((0, 0),), tuple((row,) for row in rows))


def _mean(found: Table, name: str) -> dict[str, Any]:
    return plain(bootstrap_mean(found.column(name), found.groups))


def _median(found: Table, name: str) -> float | None:
    values = [value for row in found.rows if not math.isnan(value := getattr(row, name))]
    return plain_number(float(np.median(values))) if values else None


def _of_scores(scores: Scores, place: int) -> dict[str, Any]:
    dice, confidence = scores.dice[:, place], scores.confidence[:, place]
    kept = {part: plain_number(breakdown.kept_dice(dice, confidence, part)) for part in KEPT}
    levels = breakdown.reached(dice, np.array(LEVELS)).tolist()
    none = float((dice == 0).sum() / max(1, (~np.isnan(dice)).sum()))
    return {
        "dice_of_most_certain": {"share": CERTAIN, "mean": kept[CERTAIN]},
        "kept": [{"share": part, "mean": mean} for part, mean in kept.items()],
        "reached": [{"dice": level, "share": plain_number(part)} for level, part in zip(LEVELS, levels, strict=True)],
        "dice_is_0": plain_number(none) if len(dice) else None,
    }


def _seeds(of_model: Mapping[int, float]) -> dict[str, Any]:
    """The spread of a model's seeds, where it has several."""
    if len(of_model) < 2:
        return {}
    spread = {name: plain_number(value) for name, value in vars(breakdown.seed_spread(of_model)).items()}
    return {"seeds": spread | {"dice": {str(seed): plain_number(mean) for seed, mean in of_model.items()}}}


def _difference(found: paired.Difference) -> dict[str, Any]:
    return {
        "first": found.first,
        "second": found.second,
        "measure": "dice",
        **plain(found.alone),
        "adjusted": {"low": plain_number(found.together.low), "high": plain_number(found.together.high)},
        "ahead": found.ahead,
        "alike": found.alike,
    }


def _strata(scores: Scores) -> list[dict[str, Any]]:
    parts = {
        "lesion size": breakdown.by_size(scores),
        "class": breakdown.by_label(scores),
        "copies": breakdown.by_copies(scores),
        "burnt-in marks": breakdown.by_marks(scores),
        "held-out fold": breakdown.by_fold(scores),
    }
    found = {name: breakdown.strata(scores, each) for name, each in parts.items()}
    return [
        {"by": name, "parts": [_stratum(each, scores.models) for each in each_part]}
        for name, each_part in found.items()
        if len(each_part) > 1
    ]


def _stratum(found: breakdown.Stratum, models: Sequence[str]) -> dict[str, Any]:
    bounds = {"low": found.part.low, "high": found.part.high}
    cut = {name: plain_number(value) for name, value in bounds.items() if value is not None}
    dice = {model: plain(interval) for model, interval in zip(models, found.dice, strict=True)}
    return {"name": found.part.name, **cut, "images": found.images, "groups": found.groups, "dice": dice}


def _picked(cases: Sequence[Case], scores: Scores) -> dict[str, list[dict[str, Any]]]:
    row_of = {str(image): place for place, image in enumerate(scores.images)}

    def told(image: str) -> dict[str, Any]:
        if image not in row_of:
            return {"image": image}
        dice = scores.dice[row_of[image]].tolist()
        means = {model: plain_number(value) for model, value in zip(scores.models, dice, strict=True)}
        return {"image": image, "lesion_share": plain_number(float(scores.share[row_of[image]])), "dice": means}

    return {band: [told(image) for image in images] for band, images in breakdown.pick(cases).items()}


def _curves(scores: Scores) -> dict[str, Any]:
    """The lines of a page, by model: [across, up] pairs as two lists of one length."""
    return {model: _curves_of(scores, place) for place, model in enumerate(scores.models)} if len(scores.images) else {}


def _curves_of(scores: Scores, place: int) -> dict[str, Any]:
    dice, confidence = scores.dice[:, place], scores.confidence[:, place]
    known = ~np.isnan(dice)
    coverage = CURVE[CURVE >= 0.2]
    kept = np.array([breakdown.kept_dice(dice, confidence, part) for part in coverage])
    curves = {
        "reached": (CURVE, breakdown.reached(dice, CURVE)),
        "size": breakdown.moving_median(scores.share[known], dice[known]),
        "kept": (coverage, kept) if not np.isnan(kept).any() else (np.empty(0), np.empty(0)),
    }
    return {
        name: {"x": [round(value, 6) for value in x.tolist()], "y": [round(value, 6) for value in y.tolist()]}
        for name, (x, y) in curves.items()
        if len(x)
    }
