"""The report's tables, and how figures are written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonoseg.evaluation.breakdown import Difference, Scores, Stratum, kept_dice, seed_spread
from sonoseg.evaluation.cases import NOTHING
from sonoseg.evaluation.intervals import Interval
from sonoseg.evaluation.metrics import TOLERANCE_MM, TOLERANCE_PIXELS

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """What stands in a table: a figure, and its interval in small under it."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """A caption, the heads of the columns (the first is that of the rows' names), and rows of a name and cells.

    A row without cells is a heading for those that follow.
    """

    caption: str
    heads: tuple[Cell, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def number(value: float | None, digits: int = 3) -> str:
    """Write a figure with a fixed number of decimals; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return MISSING
    return f"{value:.{digits}f}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share in per cent."""
    return MISSING if value is None or math.isnan(value) else f"{number(100 * value, digits)}\u00a0%"


def amount(value: float | None) -> str:
    """Write a large number short: 34.5 M, 9.61 G."""
    if value is None:
        return MISSING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """Write a time: 40 s, 12 min, 3.4 h."""
    if seconds is None:
        return MISSING
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def interval(found: Mapping[str, Any]) -> Interval:
    """Read an interval of ``summary.json``; None there is NaN here."""
    low, mean, high = (math.nan if found[name] is None else float(found[name]) for name in ("low", "mean", "high"))
    return Interval(mean, low, high, int(found["n"]), int(found["groups"]))


def estimate(found: Interval, digits: int = 3, shares: bool = False) -> Cell:
    """A mean with its interval under it, in per cent where ``shares``."""
    if math.isnan(found.mean):
        return Cell(MISSING)
    scale = 100 if shares else 1
    text = percent(found.mean, digits) if shares else number(found.mean, digits)
    if math.isnan(found.low) or found.low == found.high:
        return Cell(text)
    return Cell(text, f"{number(scale * found.low, digits)} to {number(scale * found.high, digits)}")


def with_nothing(summary: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The summaries of the models, then that of drawing nothing."""
    nothing = {NOTHING: summary["nothing"]} if summary["nothing"] else {}
    return {**summary["models"], **nothing}


def lesion_table(summary: Mapping[str, Any]) -> Table:
    """Compare the models on images with a lesion, the study's accuracy beside Dice, and drawing nothing as a row."""
    entries = with_nothing(summary)
    millimetres = any(entry["lesion"]["nsd_mm"]["n"] for entry in entries.values())
    heads = [
        Cell("Model"),
        Cell("Dice"),
        Cell("Dice, median"),
        Cell("The study's accuracy", "all images"),
        Cell("IoU"),
        Cell("Sensitivity"),
        Cell("Precision"),
        Cell("HD95", "pixels, low is good"),
        Cell("NSD", f"within {TOLERANCE_PIXELS:g} pixels"),
        *([Cell("NSD", f"within {TOLERANCE_MM:g} mm")] if millimetres else []),
    ]

    def row(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
        lesion = {name: interval(value) for name, value in entry["lesion"].items() if isinstance(value, dict)}
        return (
            estimate(lesion["dice"]),
            Cell(number(entry["lesion"]["dice_median"])),
            estimate(interval(entry["all"]["study_accuracy"])),
            *(estimate(lesion[name]) for name in ("iou", "sensitivity", "precision")),
            estimate(lesion["hd95"], 1),
            estimate(lesion["nsd"]),
            *([estimate(lesion["nsd_mm"])] if millimetres else []),
        )

    images = max(entry["lesion"]["images"] for entry in entries.values())
    rows = tuple((name, row(entry)) for name, entry in entries.items())
    return Table(f"On the {images} images with a lesion: mean, and its 95 % interval", tuple(heads), rows)


def normal_table(summary: Mapping[str, Any]) -> Table:
    """Compare the models on images without a lesion, on finding lesions, and by their cost."""
    heads = (
        Cell("Model"),
        Cell("Drawn on", "share of images without a lesion"),
        Cell("Area drawn there", "share of the image"),
        Cell("Lesions found", "IoU 0.1 or more"),
        Cell("Lesions found", "IoU 0.5 or more"),
        Cell("False lesions per image", "IoU under 0.1"),
        Cell("Pixel accuracy", "all images"),
        Cell("Parameters"),
        Cell("Multiply-adds", "per image"),
        Cell("Training time", "of one run"),
    )

    def row(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
        normal, detection = entry["normal"], entry["detection"]
        lesions = detection["lesions"]
        found = [
            Cell(percent(n / lesions), f"{round(n, 1):g} of {lesions:g}") if lesions else Cell(MISSING)
            for n in (detection["found"], detection["found_iou_50"])
        ]
        return (
            estimate(interval(normal["drawn"]), 1, shares=True),
            estimate(interval(normal["drawn_share_of_image"]), 2, shares=True),
            *found,
            Cell(number(detection["false_per_image"], 2)),
            estimate(interval(entry["all"]["accuracy"])),
            Cell(amount(entry.get("parameters"))),
            Cell(amount(entry.get("multiply_adds"))),
            Cell(duration(entry.get("train_seconds"))),
        )

    entries = with_nothing(summary)
    images = max(entry["normal"]["images"] for entry in entries.values())
    rows = tuple((name, row(entry)) for name, entry in entries.items())
    return Table(f"On the {images} images without a lesion; lesions found; cost", heads, rows)


def strata_table(models: Sequence[str], parts: Mapping[str, Sequence[Stratum]]) -> Table:
    """Mean Dice of each model in parts of the images, by what they are parted by."""
    heads = (Cell("Images"), Cell("Number", "and groups"), *(Cell(model) for model in models))
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for name, strata in parts.items():
        rows.append((name, ()))
        for part in strata:
            counted = Cell(str(part.images), str(part.groups))
            rows.append((part.name, (counted, *(estimate(found) for found in part.dice))))
    return Table("Mean lesion Dice in parts of the images", heads, tuple(rows))


def difference_table(found: Sequence[Difference]) -> Table:
    """Differences between the models, alone and adjusted for their number."""
    many = len(found) > 1
    adjusted = (Cell("Adjusted interval", f"for {len(found)} comparisons"),) if many else ()
    heads = (Cell("First − second"), Cell("Difference"), Cell("95 % interval"), *adjusted, Cell("Reading"))
    rows = tuple(
        (
            f"{each.first} − {each.second}",
            (
                Cell(signed(each.alone.mean)),
                Cell(span(each.alone)),
                *([Cell(span(each.together))] if many else []),
                Cell(f"{each.ahead} is ahead" if each.ahead else "not told apart"),
            ),
        )
        for each in found
    )
    return Table("Differences in lesion Dice, paired by image", heads, rows)


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return MISSING if math.isnan(value) else ("+" if value >= 0 else "") + number(value)


def span(found: Interval) -> str:
    """Write the interval of a difference."""
    return MISSING if math.isnan(found.low) else f"{signed(found.low)} to {signed(found.high)}"


def threshold_table(scores: Scores) -> Table:
    """How many of the images reach a Dice, for each model."""
    heads = (Cell("Model"), *(Cell(f"≥ {level:g}") for level in (0.9, 0.8, 0.7, 0.5)), Cell("0"))

    def shares(dice: Any) -> tuple[Cell, ...]:
        known = dice[~np.isnan(dice)]
        if not len(known):
            return (Cell(MISSING),) * 5
        reached = [known >= 0.9, known >= 0.8, known >= 0.7, known >= 0.5, known == 0]
        return tuple(Cell(percent(float(each.mean()))) for each in reached)

    rows = tuple((model, shares(scores.dice[:, index])) for index, model in enumerate(scores.models))
    return Table("Share of the images with a lesion by Dice", heads, rows)


def seed_table(found: Mapping[str, Mapping[int, float]]) -> Table:
    """Mean Dice by seed, and how far apart the seeds are."""
    seeds = sorted({seed for of_model in found.values() for seed in of_model})
    heads = (Cell("Model"), *(Cell(f"seed {seed}") for seed in seeds), Cell("Range"), Cell("Standard deviation"))

    def row(of_model: Mapping[int, float]) -> tuple[Cell, ...]:
        spread = seed_spread(of_model)
        means = (Cell(number(of_model.get(seed))) for seed in seeds)
        return (*means, Cell(number(spread.range)), Cell(number(spread.deviation)))

    return Table("Mean lesion Dice by seed", heads, tuple((model, row(of)) for model, of in found.items()))


def confidence_table(scores: Scores) -> Table:
    """Mean Dice of the images that are kept when the least certain ones are set aside."""
    shares = (1.0, 0.9, 0.8, 0.5)
    heads = (Cell("Model"), *(Cell("all" if share == 1 else f"most certain {100 * share:.0f} %") for share in shares))

    def row(index: int) -> tuple[Cell, ...]:
        columns = scores.dice[:, index], scores.confidence[:, index]
        return tuple(Cell(number(kept_dice(*columns, share))) for share in shares)

    rows = tuple((model, row(index)) for index, model in enumerate(scores.models))
    return Table("Mean lesion Dice of the images that are kept", heads, rows)


def calibration_table(calibration: Mapping[str, Mapping[str, Any]]) -> Table:
    """The expected calibration error of each model."""
    rows = tuple((model, (Cell(number(found["ece"])),)) for model, found in calibration.items())
    return Table("Expected calibration error", (Cell("Model"), Cell("Error", "0 is perfect")), rows)


def image_table(scores: Scores, picked: Mapping[str, Sequence[str]]) -> Table:
    """Dice of the picked lesion images, by name."""
    row_of = {str(image): index for index, image in enumerate(scores.images)}
    heads = (Cell("Image"), Cell("Rank"), Cell("Lesion", "share of the image"), *(Cell(m) for m in scores.models))
    rows = tuple(
        (
            image,
            (
                Cell(band),
                Cell(percent(float(scores.share[row_of[image]]))),
                *(Cell(number(float(dice))) for dice in scores.dice[row_of[image]]),
            ),
        )
        for band, images in picked.items()
        for image in images
        if image in row_of
    )
    return Table("Best, middle and worst images by mean Dice over the models", heads, rows)
