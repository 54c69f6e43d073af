"""The report's tables, read from the summary."""

from collections.abc import Mapping, Sequence
from typing import Any

from sonoseg.evaluation.cases import NOTHING
from sonoseg.evaluation.metrics import TOLERANCE_MM, TOLERANCE_PIXELS
from sonoseg.reports.benchmark.sentences import reading
from sonoseg.reports.figures import amount, duration, number, percent, short, span
from sonoseg.reports.table import Cell, Table, estimate

Summary = Mapping[str, Any]
"""The content of ``summary.json``."""


def with_nothing(summary: Summary) -> dict[str, Mapping[str, Any]]:
    """The summaries of the models, then that of drawing nothing."""
    nothing = {NOTHING: summary["nothing"]} if summary["nothing"] else {}
    return {**summary["models"], **nothing}


def lesion_table(summary: Summary) -> Table:
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
        Cell("HD95, median", "pixels"),
        Cell("HD95 where drawn", "pixels"),
        Cell("NSD", f"within {short(TOLERANCE_PIXELS)} pixels"),
        *([Cell("NSD", f"within {short(TOLERANCE_MM)} mm")] if millimetres else []),
    ]

    def row(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
        lesion = entry["lesion"]
        return (
            estimate(lesion["dice"]),
            Cell(number(lesion["dice_median"])),
            estimate(entry["all"]["study_accuracy"]),
            *(estimate(lesion[name]) for name in ("iou", "sensitivity", "precision")),
            estimate(lesion["hd95"], 1),
            Cell(number(lesion["hd95_median"], 1)),
            estimate(lesion["hd95_drawn"], 1),
            estimate(lesion["nsd"]),
            *([estimate(lesion["nsd_mm"])] if millimetres else []),
        )

    images = max(entry["lesion"]["images"] for entry in entries.values())
    rows = tuple((name, row(entry)) for name, entry in entries.items())
    return Table(f"On the {images} images with a lesion: mean, and its 95 % interval", tuple(heads), rows)


def normal_table(summary: Summary) -> Table:
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
        Cell("Training time", "of one run, median"),
    )

    def row(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
        normal, detection = entry["normal"], entry["detection"]
        lesions = detection["lesions"]
        counted = [f"{short(round(detection[name], 1))} of {short(lesions)}" for name in ("found", "found_iou_50")]
        shares = [detection["found_share"], detection["found_share_iou_50"]]
        found = [Cell(percent(part), told if lesions else "") for part, told in zip(shares, counted, strict=True)]
        return (
            estimate(normal["drawn"], 1, shares=True),
            estimate(normal["drawn_share_of_image"], 2, shares=True),
            *found,
            Cell(number(detection["false_per_image"], 2)),
            estimate(entry["all"]["accuracy"]),
            Cell(amount(entry.get("parameters"))),
            Cell(amount(entry.get("multiply_adds"))),
            Cell(duration(entry.get("train_seconds"))),
        )

    entries = with_nothing(summary)
    images = max(entry["normal"]["images"] for entry in entries.values())
    rows = tuple((name, row(entry)) for name, entry in entries.items())
    return Table(f"On the {images} images without a lesion; lesions found; cost", heads, rows)


def strata_table(summary: Summary) -> Table:
    """Mean Dice of each model in parts of the images, by what they are parted by."""
    models = list(summary["models"])
    heads = (Cell("Images"), Cell("Number", "and groups"), *(Cell(model) for model in models))
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for stratum in summary["strata"]:
        rows.append((f"By {stratum['by']}", ()))
        for part in stratum["parts"]:
            counted = Cell(str(part["images"]), str(part["groups"]))
            rows.append((_part_name(part), (counted, *(estimate(part["dice"][model]) for model in models))))
    return Table("Mean lesion Dice in parts of the images", heads, tuple(rows))


def _part_name(part: Mapping[str, Any]) -> str:
    low, high = part.get("low"), part.get("high")
    if low is None and high is None:
        return str(part["name"])
    if low is None:
        return f"{part['name']}: up to {percent(high)} of the image"
    return f"{part['name']}: " + (
        f"over {percent(low)}" if high is None else f"{number(100 * low, 1)} to {percent(high)}"
    )


def difference_table(summary: Summary) -> Table:
    """Differences between the models, alone and adjusted for their number."""
    found = summary["differences"]
    many = len(found) > 1
    adjusted = (Cell("Adjusted interval", f"for {len(found)} comparisons"),) if many else ()
    heads = (Cell("First − second"), Cell("Difference"), Cell("95 % interval"), *adjusted, Cell("Reading"))
    rows = tuple(
        (
            f"{each['first']} − {each['second']}",
            (
                Cell(number(each["mean"], sign=True)),
                Cell(span(each, sign=True)),
                *([Cell(span(each["adjusted"], sign=True))] if many else []),
                Cell(reading(each, summary)),
            ),
        )
        for each in found
    )
    return Table("Differences in lesion Dice, paired by image", heads, rows)


def threshold_table(summary: Summary) -> Table:
    """How many of the images reach a Dice, for each model."""
    levels = [each["dice"] for each in next(iter(summary["models"].values()))["reached"]]
    heads = (Cell("Model"), *(Cell(f"≥ {short(level)}") for level in levels), Cell("0"))
    rows = tuple(
        (model, (*(Cell(percent(each["share"])) for each in entry["reached"]), Cell(percent(entry["dice_is_0"]))))
        for model, entry in summary["models"].items()
    )
    return Table("Share of the images with a lesion by Dice", heads, rows)


def seed_table(summary: Summary) -> Table | None:
    """Mean Dice by seed, and how far apart the seeds are; None where no model has several."""
    found = {model: entry["seeds"] for model, entry in summary["models"].items() if "seeds" in entry}
    if not found:
        return None
    seeds = sorted({seed for of_model in found.values() for seed in of_model["dice"]}, key=int)
    heads = (Cell("Model"), *(Cell(f"seed {seed}") for seed in seeds), Cell("Range"), Cell("Standard deviation"))

    def row(of_model: Mapping[str, Any]) -> tuple[Cell, ...]:
        means = (Cell(number(of_model["dice"].get(seed))) for seed in seeds)
        return (*means, Cell(number(of_model["range"])), Cell(number(of_model["deviation"])))

    return Table("Mean lesion Dice by seed", heads, tuple((model, row(of)) for model, of in found.items()))


def confidence_table(summary: Summary) -> Table:
    """Mean Dice of the images that are kept when the least certain ones are set aside."""
    shares = [each["share"] for each in next(iter(summary["models"].values()))["kept"]]
    heads = (Cell("Model"), *(Cell("all" if share == 1 else f"most certain {percent(share, 0)}") for share in shares))
    rows = tuple(
        (model, tuple(Cell(number(each["mean"])) for each in entry["kept"]))
        for model, entry in summary["models"].items()
    )
    return Table("Mean lesion Dice of the images that are kept", heads, rows)


def presence_table(summary: Summary) -> Table:
    """How well presence tells images with a lesion from those without, and what the most certain images are worth."""
    told = {model: entry for model, entry in summary["models"].items() if "presence" in entry}
    kept: Sequence[Mapping[str, Any]] = next(
        (entry["kept_of_all"] for entry in told.values() if "kept_of_all" in entry), []
    )
    shares = ("all" if each["share"] == 1 else f"most certain {percent(each['share'], 0)}" for each in kept)
    heads = (Cell("Model"), Cell("AUC"), *(Cell(share, "of all images") for share in shares))
    rows = tuple(
        (
            model,
            (
                estimate(entry["presence"]["auc"]),
                *(Cell(number(each["mean"])) for each in entry.get("kept_of_all", ())),
            ),
        )
        for model, entry in told.items()
    )
    return Table("Presence, and mean Dice of the images that are kept", heads, rows)


def calibration_table(summary: Summary) -> Table:
    """The expected calibration error of each model, over all pixels and image by image."""
    found = summary["calibration"]
    by_image = all("per_image" in each for each in found.values())
    heads = (Cell("Model"), Cell("Error", "0 is perfect"), *([Cell("Error of an image", "mean")] if by_image else []))

    def row(each: Mapping[str, Any]) -> tuple[Cell, ...]:
        return (
            (estimate(each["ece_interval"]), estimate(each["per_image"])) if by_image else (Cell(number(each["ece"])),)
        )

    return Table("Expected calibration error", heads, tuple((model, row(each)) for model, each in found.items()))


def image_table(summary: Summary) -> Table:
    """Dice of the picked lesion images, by name."""
    models: Sequence[str] = list(summary["models"])
    heads = (Cell("Image"), Cell("Rank"), Cell("Lesion", "share of the image"), *(Cell(model) for model in models))
    rows = tuple(
        (
            each["image"],
            (
                Cell(band),
                Cell(percent(each["lesion_share"])),
                *(Cell(number(each["dice"][model])) for model in models),
            ),
        )
        for band, picked in summary["picked"].items()
        for each in picked
        if "dice" in each
    )
    return Table("Best, middle and worst images by mean Dice over the models", heads, rows)
