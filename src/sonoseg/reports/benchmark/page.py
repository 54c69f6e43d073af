"""Summary, cases and histories -> one self-contained page: no script, no request, equal bytes from equal numbers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from sonoseg.evaluation.breakdown import BANDS
from sonoseg.evaluation.cases import NOTHING, Case
from sonoseg.files import write_text
from sonoseg.prediction.lesions import LESION_PIXELS
from sonoseg.reports import charts
from sonoseg.reports.benchmark import tables
from sonoseg.reports.benchmark.sentences import claim, finding, points, trained_on
from sonoseg.reports.charts import Axis, Estimate, Series
from sonoseg.reports.figures import number, percent
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

    Several models' predictions of one image are shown side by side. The summary's ``picked`` names images to show.
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

    summary: the content of ``summary.json``, which holds every figure. cases: the rows of ``cases.csv``, one at least,
    for the dots of its charts. histories: the lines of ``history.jsonl`` by cell, named "MODEL fold 0 seed 0". A
    section whose numbers are not there is left out. Errors: ``ValueError`` without cases, ``OSError`` of the files.
    """
    if not cases:
        raise ValueError("a report needs cases; there are none")
    write_text(path, page(summary, cases, histories, gallery))


def page(
    summary: Mapping[str, Any], cases: Sequence[Case], histories: Mapping[str, History], gallery: Sequence[Shown]
) -> str:
    """Make the page; arguments as of ``write``."""
    models = list(summary["models"])
    lesions = any(entry["lesion"]["images"] for entry in summary["models"].values())
    return fill(
        "report.html.j2",
        summary=summary,
        models=models,
        nothing=NOTHING,
        tested=summary["tested"]["images"],
        groups=summary["tested"]["groups"],
        finding=finding(summary),
        trained_on=trained_on(summary),
        comparison=[_compare_dice(summary), _compare_study(summary)],
        lesion_table=tables.lesion_table(summary),
        normal_table=tables.normal_table(summary),
        differences=summary["differences"],
        margin=points(summary["margin"]),
        claims=[claim(each, summary) for each in summary["differences"] if each["adjusted"]["low"] is not None],
        difference_chart=_difference_chart(summary),
        difference_table=tables.difference_table(summary),
        reach_chart=_reach_chart(summary) if lesions else None,
        threshold_table=tables.threshold_table(summary),
        size_charts=_size_charts(summary, cases) if lesions else [],
        agreement_charts=_agreement_charts(summary, cases),
        strata=tables.strata_table(summary) if summary["strata"] else None,
        histories_per_model=len(histories) // max(1, len(models)),
        headings=HEADINGS,
        lesion_pixels=LESION_PIXELS,
        learning_charts=_learning_charts(summary, histories),
        seed_table=tables.seed_table(summary),
        presence=_presence(summary),
        confidence=_confidence(summary),
        calibration=_calibration(summary) if "calibration" in summary else None,
        gallery=_gallery(gallery, summary, models),
        image_table=tables.image_table(summary),
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
    return Estimate(name, colour, found["mean"], found["low"], found["high"], number(found["mean"]))


def _alt(what: str, rows: Sequence[Estimate]) -> str:
    return f"{what}: " + "; ".join(f"{row.name} {row.text}" for row in rows)


def _share_axis(label: str) -> Axis:
    return Axis(label, 0, 1, SHARES)


def _whole_percent(share: float) -> str:
    return percent(share, 0)


def _difference_chart(summary: Mapping[str, Any]) -> Markup | None:
    known = [each for each in summary["differences"] if each["low"] is not None]
    if not known:
        return None
    rows = [
        Estimate(
            f"{each['first']} − {each['second']}",
            0,
            each["mean"],
            each["low"],
            each["high"],
            number(each["mean"], sign=True),
            (each["adjusted"]["low"], each["adjusted"]["high"]) if len(known) > 1 else None,
        )
        for each in known
    ]
    margin = summary["margin"]
    ends = [found[end] for each in known for found in (each, each["adjusted"]) for end in ("low", "high")]
    axis = charts.linear_axis("difference in mean lesion Dice", min(-margin, *ends), max(margin, *ends))
    alt = _alt("Differences in mean lesion Dice", rows)
    return charts.intervals("First − second", axis, rows, alt, (-margin, 0.0, margin))


def _reach_chart(summary: Mapping[str, Any]) -> Markup:
    series = _curves(summary, "reached")
    x, y = _share_axis("Dice"), Axis("Images with at least this Dice", 0, 1, SHARES, write=_whole_percent)
    return charts.plot("", x, y, series, "Share of lesion images that reach a Dice, for every Dice and model")


def _curves(summary: Mapping[str, Any], name: str) -> list[Series]:
    """A line of each model that has it."""
    curves = {model: found[name] for model, found in summary["curves"].items() if name in found}
    colours = {model: colour for colour, model in enumerate(summary["models"], 1)}
    return [Series(model, colours[model], curve["x"], curve["y"]) for model, curve in curves.items()]


def _size_charts(summary: Mapping[str, Any], cases: Sequence[Case]) -> list[Markup]:
    """A dot for each image and seed."""
    shown = [case for case in cases if case.has_lesion]
    shares = [100 * case.lesion_share for case in shown]
    x = charts.log_axis("lesion, % of the image", 0.9 * min(shares), 1.1 * max(shares))
    drawn = []
    for colour, model in enumerate(summary["models"], 1):
        own = [case for case in shown if case.model == model]
        dots = Series("", colour, [100 * case.lesion_share for case in own], [case.dice for case in own], dots=True)
        curve = summary["curves"][model].get("size", {"x": [], "y": []})
        line = Series("median of the images of nearly this size", 0, np.multiply(100, curve["x"]), curve["y"])
        alt = f"Dice of {model} on each image against the size of the lesion"
        drawn.append(charts.plot(model, x, _share_axis("Dice"), [dots, line], alt))
    return drawn


def _agreement_charts(summary: Mapping[str, Any], cases: Sequence[Case]) -> list[Markup]:
    """Longest diameters as Bland and Altman plot them: a dot for each image and seed that is drawn on."""
    drawn = []
    for colour, (model, entry) in enumerate(summary["models"].items(), 1):
        if not (told := entry.get("diameter")):
            continue
        own = [(case.diameter, case.true_diameter) for case in cases if case.model == model and case.has_lesion]
        pairs = [pair for pair in own if not np.isnan(sum(pair))]
        means, differences = [(a + b) / 2 for a, b in pairs], [a - b for a, b in pairs]
        x = charts.linear_axis("mean of drawn and true, pixels", 0, max(means))
        y = charts.linear_axis("drawn − true, pixels", min(0, *differences), max(0, *differences))
        ends = [0, x.high]
        lines = [Series(name, 0, ends, [told["agreement"][name]] * 2) for name in ("mean", "low", "high")]
        alt = f"Difference of the longest diameters that {model} drew from the true ones, against their mean"
        drawn.append(charts.plot(model, x, y, [Series("", colour, means, differences, dots=True), *lines], alt))
    return drawn


def _learning_charts(summary: Mapping[str, Any], histories: Mapping[str, History]) -> list[Markup]:
    kinds = (("loss", "Training loss"), ("validation_dice", "Dice on the validation part"))
    charted = (_learning_chart(summary, histories, name, title) for name, title in kinds)
    return [chart for chart in charted if chart is not None]


def _learning_chart(
    summary: Mapping[str, Any], histories: Mapping[str, History], name: str, title: str
) -> Markup | None:
    series = []
    for colour, (model, entry) in enumerate(summary["models"].items(), 1):
        own = [history for cell, history in histories.items() if cell.rsplit(" fold ", 1)[0] == model]
        for history in own if len(own) > 1 else ():
            run = {line["epoch"]: line[name] for line in history if name in line}
            series.append(Series("", colour, list(run), list(run.values()), faint=True))
        mean = entry.get("learning", {}).get(name, {"x": [], "y": []})
        series.append(Series(model, colour, mean["x"], mean["y"]))
    highest = max((float(np.max(each.x)) for each in series if len(np.asarray(each.x))), default=0.0)
    if not highest:
        return None
    values = np.concatenate([np.asarray(each.y, np.float64) for each in series])
    y = charts.linear_axis("", 0, float(values.max())) if name == "loss" else _share_axis("")
    return charts.plot(title, charts.linear_axis("epoch", 0, highest), y, series, f"{title} of each model by epoch")


def _presence(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a network that tells presence leaves when it is silent below each threshold of it."""
    told = {model: entry["presence"] for model, entry in summary["models"].items() if "presence" in entry}
    if not told:
        return None
    colours = {model: colour for colour, model in enumerate(summary["models"], 1)}
    curves = {model: found["curve"] for model, found in told.items() if None not in found["curve"]["drawn"]}
    series = [Series(model, colours[model], curve["drawn"], curve["dice"]) for model, curve in curves.items()]
    x = Axis("normals drawn on", 0, 1, SHARES, write=_whole_percent)
    chart = charts.plot("", x, _share_axis("Lesion Dice"), series, "Lesion Dice against the normals drawn on, by model")
    return {"chart": chart if series else None, "table": tables.presence_table(summary)}


def _confidence(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    series = _curves(summary, "kept")
    if not series:
        return None
    values = [value for each in series for value in np.asarray(each.y).tolist()]
    x = Axis("images kept, most certain first", SHARES[1], 1, SHARES[1:], write=_whole_percent)
    y = charts.linear_axis("Mean Dice", min(values), max(values))
    chart = charts.plot("", x, y, series, "Mean Dice of the images that are kept, for every share of them and model")
    return {"chart": chart, "table": tables.confidence_table(summary)}


def _calibration(summary: Mapping[str, Any]) -> dict[str, Any]:
    found = summary["calibration"]
    series = [Series("perfect calibration", 0, [0, 1], [0, 1], faint=True)]
    for colour, model in enumerate(summary["models"], 1):
        bins = [each for each in found.get(model, {}).get("bins", ()) if each["pixels"]]
        x, y = ([each[name] for each in bins] for name in ("mean_probability", "lesion_share"))
        series += [Series(model, colour, x, y), Series("", colour, x, y, dots=True)]
    x_axis, y_axis = _share_axis("probability that the model gives"), _share_axis("Share that is lesion")
    chart = charts.plot("", x_axis, y_axis, series, "Share of pixels that are lesion against the model's probability")
    band = next((each["band"] for each in found.values() if "band" in each), "")
    return {"chart": chart, "table": tables.calibration_table(summary), "band": band}


def _gallery(
    gallery: Sequence[Shown], summary: Mapping[str, Any], models: Sequence[str]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Bands with their images; each image once, with an outline for every model that is shown on it."""
    by_image: dict[str, list[Shown]] = defaultdict(list)
    for shown in gallery:
        by_image[shown.case.image].append(shown)
    picked = {band: [each["image"] for each in summary["picked"][band]] for band in BANDS}
    placed = {band: [image for image in images if image in by_image] for band, images in picked.items()}
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
    ordered = sorted(shown, key=lambda each: models.index(each.case.model))
    return {
        "index": index,
        "name": case.image,
        "label": case.label,
        "share": percent(case.lesion_share) if case.has_lesion else "",
        "width": width,
        "height": height,
        "scan": charts.scan(shown[0].pixels),
        "truth": charts.outline(shown[0].truth),
        "panels": [(each.case.model, _score(each.case), charts.outline(each.prediction)) for each in ordered],
    }


def _score(case: Case) -> str:
    if case.has_lesion:
        return f"Dice {number(case.dice, 2)}"
    return f"{percent(case.drawn_share)} drawn" if case.drawn else "nothing drawn"
