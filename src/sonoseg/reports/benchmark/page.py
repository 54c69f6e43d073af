"""Summary, cases and histories -> one self-contained page: no script, no request, equal bytes from equal numbers."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from sonoseg.evaluation import breakdown
from sonoseg.evaluation.breakdown import BANDS, Case, Difference, Scores
from sonoseg.evaluation.cases import NOTHING
from sonoseg.files import write_text
from sonoseg.prediction.lesions import LESION_PIXELS
from sonoseg.reports import charts
from sonoseg.reports.benchmark import tables
from sonoseg.reports.benchmark.findings import finding
from sonoseg.reports.benchmark.tables import interval, number, percent, signed
from sonoseg.reports.charts import Axis, Estimate, Series
from sonoseg.reports.template import fill

History = Sequence[Mapping[str, float]]

HEADINGS = {
    "best": "Best",
    "middle": "Middle",
    "worst": "Worst",
    "false alarms": "False alarms: no lesion, and most drawn",
    "others": "Others",
}

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture for the gallery: its case, ``uint8 (H, W)`` pixels, truth and prediction, both ``bool (H, W)``.

    Several models' predictions of one image are shown side by side. ``breakdown.pick`` names images worth showing.
    """

    case: Case
    pixels: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    prediction: NDArray[np.bool_]


def write(
    path: Path,
    summary: Mapping[str, Any],
    cases: Sequence[Case],
    histories: Mapping[str, History],
    gallery: Sequence[Shown] = (),
) -> None:
    """Write the page, whole or not at all.

    summary: the content of ``summary.json``. cases: the rows of ``cases.csv``, one at least. histories: the lines of
    ``history.jsonl`` by cell, named "MODEL fold 0 seed 0". A section whose numbers are not there is left out;
    calibration is read from ``summary["calibration"][model]``: ``ece`` and ``bins``, each with low, high, pixels,
    mean_probability and lesion_share. Errors: ``ValueError`` without cases, ``OSError`` of the file system.
    """
    if not cases:
        raise ValueError("a report needs cases; there are none")
    write_text(path, page(summary, cases, histories, gallery))


def page(
    summary: Mapping[str, Any], cases: Sequence[Case], histories: Mapping[str, History], gallery: Sequence[Shown]
) -> str:
    """Make the page; arguments as of ``write``."""
    scores, picked = breakdown.lesion_scores(cases), breakdown.pick(cases)
    differences = breakdown.differences(scores)
    seeds = breakdown.by_seed(cases) if len({case["seed"] for case in cases}) > 1 else {}
    return fill(
        "report.html.j2",
        summary=summary,
        models=scores.models,
        nothing=NOTHING,
        tested=len({case["image"] for case in cases}),
        groups=len({case["group"] for case in cases}),
        finding=finding(summary, differences),
        comparison=[_compare_dice(summary), _compare_study(summary)],
        lesion_table=tables.lesion_table(summary),
        normal_table=tables.normal_table(summary),
        differences=differences,
        difference_chart=_difference_chart(differences),
        difference_table=tables.difference_table(differences),
        reach_chart=_reach_chart(scores),
        threshold_table=tables.threshold_table(scores),
        size_charts=_size_charts(scores),
        strata=_strata(scores),
        histories_per_model=len(histories) // max(1, len(scores.models)),
        headings=HEADINGS,
        lesion_pixels=LESION_PIXELS,
        learning_charts=_learning_charts(histories, scores.models),
        seed_table=tables.seed_table(seeds) if seeds else None,
        confidence=_confidence(scores),
        calibration=_calibration(summary.get("calibration", {}), scores.models),
        gallery=_gallery(gallery, picked, scores.models),
        image_table=tables.image_table(scores, picked),
    )


def _compare_dice(summary: Mapping[str, Any]) -> Markup:
    rows = [_estimate(name, i, entry["lesion"]["dice"]) for i, (name, entry) in _numbered(summary)]
    return charts.intervals("Lesion Dice", _share_axis(""), rows, _alt("Mean lesion Dice", rows))


def _compare_study(summary: Mapping[str, Any]) -> Markup:
    rows = [_estimate(name, i, entry["all"]["study_accuracy"]) for i, (name, entry) in _numbered(summary)]
    return charts.intervals("The study's accuracy", _share_axis(""), rows, _alt("The study's accuracy", rows))


def _numbered(summary: Mapping[str, Any]) -> Iterable[tuple[int, tuple[str, Mapping[str, Any]]]]:
    return ((0 if item[0] == NOTHING else i, item) for i, item in enumerate(tables.with_nothing(summary).items(), 1))


def _estimate(name: str, colour: int, found: Mapping[str, Any]) -> Estimate:
    value = interval(found)
    return Estimate(name, colour, value.mean, value.low, value.high, number(value.mean))


def _alt(what: str, rows: Sequence[Estimate]) -> str:
    return f"{what}: " + "; ".join(f"{row.name} {row.text}" for row in rows)


def _share_axis(label: str) -> Axis:
    return Axis(label, 0, 1, SHARES)


def _whole_percent(share: float) -> str:
    return percent(share, 0)


def _difference_chart(differences: Sequence[Difference]) -> Markup | None:
    known = [each for each in differences if not math.isnan(each.together.low)]
    if not known:
        return None
    rows = [
        Estimate(
            f"{each.first} − {each.second}",
            0,
            each.alone.mean,
            each.alone.low,
            each.alone.high,
            signed(each.alone.mean),
            (each.together.low, each.together.high) if len(known) > 1 else None,
        )
        for each in known
    ]
    ends = [0.0, *(end for each in known for found in (each.alone, each.together) for end in (found.low, found.high))]
    axis = charts.linear_axis("difference in mean lesion Dice", min(ends), max(ends))
    return charts.intervals("First − second", axis, rows, _alt("Differences in mean lesion Dice", rows), zero=0.0)


def _reach_chart(scores: Scores) -> Markup | None:
    if not len(scores.images):
        return None
    series = []
    for index, model in enumerate(scores.models):
        dice = np.sort(scores.dice[~np.isnan(scores.dice[:, index]), index])
        reached = np.linspace(1, 0, len(dice) + 1)
        series.append(Series(model, index + 1, np.r_[0, np.repeat(dice, 2), 1], np.repeat(reached, 2)))
    x, y = _share_axis("Dice"), Axis("Images with at least this Dice", 0, 1, SHARES, write=_whole_percent)
    return charts.plot("", x, y, series, "Share of lesion images that reach a Dice, for every Dice and model")


def _size_charts(scores: Scores) -> list[Markup]:
    if not len(scores.images):
        return []
    share = 100 * scores.share
    x = charts.log_axis("lesion, % of the image", 0.9 * float(share.min()), 1.1 * float(share.max()))
    drawn = []
    for index, model in enumerate(scores.models):
        dice = scores.dice[:, index]
        known = ~np.isnan(dice)
        middle = breakdown.moving_median(share[known], dice[known])
        dots = Series("", index + 1, share[known], dice[known], dots=True)
        line = Series("median of the images of nearly this size", 0, *middle)
        alt = f"Dice of {model} on each image against the size of the lesion"
        drawn.append(charts.plot(model, x, _share_axis("Dice"), [dots, line], alt))
    return drawn


def _strata(scores: Scores) -> tables.Table | None:
    parts = {
        "By lesion size": breakdown.by_size(scores),
        "By class": breakdown.by_label(scores),
        "By copies": breakdown.by_copies(scores),
        "By burnt-in marks": breakdown.by_marks(scores),
        "By held-out fold": breakdown.by_fold(scores),
    }
    found = {name: breakdown.strata(scores, part) for name, part in parts.items()}
    told = {name: rows for name, rows in found.items() if len(rows) > 1}
    return tables.strata_table(scores.models, told) if told else None


def _learning_charts(histories: Mapping[str, History], models: Sequence[str]) -> list[Markup]:
    by_model: dict[str, list[History]] = defaultdict(list)
    for cell, history in histories.items():
        by_model[cell.rsplit(" fold ", 1)[0]].append(history)
    kinds = (("loss", "Training loss"), ("validation_dice", "Dice on the validation part"))
    charted = (_learning_chart(by_model, models, name, title) for name, title in kinds)
    return [chart for chart in charted if chart is not None]


def _learning_chart(
    by_model: Mapping[str, Sequence[History]], models: Sequence[str], name: str, title: str
) -> Markup | None:
    series = []
    for colour, model in enumerate(models, 1):
        curves = [{line["epoch"]: line[name] for line in each if name in line} for each in by_model.get(model, ())]
        curves = [curve for curve in curves if curve]
        if len(curves) > 1:
            series += [Series("", colour, list(curve), list(curve.values()), faint=True) for curve in curves]
        epochs = sorted({epoch for curve in curves for epoch in curve})
        means = [float(np.mean([curve[epoch] for curve in curves if epoch in curve])) for epoch in epochs]
        series.append(Series(model, colour, epochs, means))
    highest = max((float(np.max(each.x)) for each in series if len(np.asarray(each.x))), default=0.0)
    if not highest:
        return None
    values = np.concatenate([np.asarray(each.y, np.float64) for each in series])
    y = charts.linear_axis("", 0, float(values.max())) if name == "loss" else _share_axis("")
    return charts.plot(title, charts.linear_axis("epoch", 0, highest), y, series, f"{title} of each model by epoch")


def _confidence(scores: Scores) -> dict[str, Any] | None:
    if np.isnan(scores.confidence).all():
        return None
    series = []
    for index, model in enumerate(scores.models):
        coverage, mean = breakdown.risk_coverage(scores.dice[:, index], scores.confidence[:, index])
        enough = coverage >= SHARES[1]
        series.append(Series(model, index + 1, coverage[enough], mean[enough]))
    values = np.concatenate([np.asarray(each.y) for each in series])
    x = Axis("images kept, most certain first", SHARES[1], 1, SHARES[1:], write=_whole_percent)
    y = charts.linear_axis("Mean Dice", float(values.min()), float(values.max()))
    chart = charts.plot("", x, y, series, "Mean Dice of the images that are kept, for every share of them and model")
    return {"chart": chart, "table": tables.confidence_table(scores)}


def _calibration(found: Mapping[str, Mapping[str, Any]], models: Sequence[str]) -> dict[str, Any] | None:
    if not found:
        return None
    series = [Series("perfect calibration", 0, [0, 1], [0, 1], faint=True)]
    for colour, model in enumerate(models, 1):
        bins = [each for each in found.get(model, {}).get("bins", ()) if each["pixels"]]
        x, y = ([each[name] for each in bins] for name in ("mean_probability", "lesion_share"))
        series += [Series(model, colour, x, y), Series("", colour, x, y, dots=True)]
    x_axis, y_axis = _share_axis("probability that the model gives"), _share_axis("Share that is lesion")
    chart = charts.plot("", x_axis, y_axis, series, "Share of pixels that are lesion against the model's probability")
    band = next((each["band"] for each in found.values() if "band" in each), "")
    return {"chart": chart, "table": tables.calibration_table(found), "band": band}


def _gallery(
    gallery: Sequence[Shown], picked: Mapping[str, Sequence[str]], models: Sequence[str]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Bands with their images; each image once, with an outline for every model that is shown on it."""
    by_image: dict[str, list[Shown]] = defaultdict(list)
    for shown in gallery:
        by_image[shown.case["image"]].append(shown)
    placed = {band: [image for image in picked[band] if image in by_image] for band in BANDS}
    others = set(by_image).difference(*placed.values())
    placed["others"] = [image for image in by_image if image in others]
    numbers = {image: index for index, image in enumerate(by_image)}
    return [
        (band, [_picture(numbers[image], by_image[image], models) for image in images])
        for band, images in placed.items()
        if images
    ]


def _picture(index: int, shown: Sequence[Shown], models: Sequence[str]) -> dict[str, Any]:
    case, (height, width) = shown[0].case, shown[0].pixels.shape
    ordered = sorted(shown, key=lambda each: models.index(each.case["model"]))
    return {
        "index": index,
        "name": case["image"],
        "label": case["label"],
        "share": percent(breakdown.lesion_share(case)) if breakdown.has_lesion(case) else "",
        "width": width,
        "height": height,
        "scan": charts.scan(shown[0].pixels),
        "truth": charts.outline(shown[0].truth),
        "panels": [(each.case["model"], _score(each.case), charts.outline(each.prediction)) for each in ordered],
    }


def _score(case: Case) -> str:
    if breakdown.has_lesion(case):
        return f"Dice {number(case['dice'], 2)}"
    return f"{percent(case['fp'] / (case['fp'] + case['tn']))} drawn" if case["fp"] else "nothing drawn"
