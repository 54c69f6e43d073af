"""``leaderboard.json`` -> one self-contained page: who stands where, on which images, and what stands behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from sonoseg.evaluation.cases import NOTHING
from sonoseg.reports import charts
from sonoseg.reports.charts import Axis, Estimate
from sonoseg.reports.figures import MISSING, figure, number, sentence, short
from sonoseg.reports.table import Cell, Table, estimate
from sonoseg.reports.template import fill

Section = Mapping[str, Any]

COLOURS = 6
"""Colours that the style sheet has; they come round."""


def page(summary: Mapping[str, Any]) -> str:
    """Make the page; the same summary gives the same bytes."""
    sections = [
        {
            "id": f"section-{number_}",
            "title": title(section),
            "found": section,
            "sentence": finding(section),
            "chart": _chart(section),
            "table": _table(section),
        }
        for number_, section in enumerate(summary["sections"], 1)
    ]
    names = {entry["name"] for section in summary["sections"] for entry in section["entries"]}
    return fill(
        "leaderboard.html.j2",
        summary=summary,
        sections=sections,
        entries=len(names),
        nothing=NOTHING,
        missing=MISSING,
        margin=f"{short(round(100 * summary['margin'], 6))} points",
    )


def title(section: Section) -> str:
    """Which images a section is about: busi, folds 0 to 4."""
    folds = section["folds"]
    run = len(folds) > 2 and folds == list(range(folds[0], folds[-1] + 1))
    told = f"{folds[0]} to {folds[-1]}" if run else ", ".join(map(str, folds))
    return f"{section['set']}, fold{'s' if len(folds) > 1 else ''} {told}"


def finding(section: Section) -> str:
    """What may be said of the order, in a sentence or two."""
    first, *others = section["entries"]
    dice = first["lesion"]["dice"]
    if not others:
        reached = f"{first['name']} reaches a mean lesion Dice of {sentence(dice)} on {dice['n']} images"
        return f"{reached}; nobody else was judged on all of them."
    told = f"The highest mean lesion Dice, over {dice['n']} images, is that of {first['name']}: {sentence(dice)}."
    known = [entry for entry in others if entry["behind"] and entry["behind"]["low"] is not None]
    if not known:
        return told
    apart = sum(entry["behind"]["apart"] for entry in known)
    which = {0: "None of the others is", len(known): "All others are" if apart > 1 else "The other one is"}
    adjusted = f", adjusted for {len(known)} comparisons" if len(known) > 1 else ""
    return f"{told} {which.get(apart, f'{apart} of the {len(known)} others are')} told apart from it{adjusted}."


def reading(behind: Mapping[str, Any] | None) -> str:
    """What is said of an entry and the first, in a few words."""
    if behind is None or behind["low"] is None:
        return ""
    alike = "no difference within the margin" if behind["alike"] else ""
    return ("behind" + (", within the margin" if alike else "")) if behind["apart"] else alike or "not told apart"


def _chart(section: Section) -> Markup:
    rows = [
        Estimate(entry["name"], 1 + place % COLOURS, *_ends(entry), number(entry["lesion"]["dice"]["mean"]))
        for place, entry in enumerate(section["entries"])
    ]
    nothing = section["nothing"]
    rows.append(Estimate(NOTHING, 0, *_ends(nothing), number(nothing["lesion"]["dice"]["mean"])))
    axis = Axis("", 0, 1, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    alt = "Mean lesion Dice: " + "; ".join(f"{row.name} {row.text}" for row in rows)
    return charts.intervals("Lesion Dice", axis, rows, alt)


def _ends(entry: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    dice = entry["lesion"]["dice"]
    return dice["mean"], dice["low"], dice["high"]


def _table(section: Section) -> Table:
    heads = (
        Cell("Entry"),
        Cell("Dice"),
        Cell("Dice, median"),
        Cell("Behind the first", "adjusted"),
        Cell("IoU"),
        Cell("HD95", "pixels, low is good"),
        Cell("HD95, median", "pixels"),
        Cell("NSD", "within 2 pixels"),
        Cell("Normals drawn on"),
    )
    entries: Sequence[Mapping[str, Any]] = section["entries"]
    rows = [(entry["name"], _row(entry)) for entry in entries]
    rows.append((NOTHING, _row(section["nothing"])))
    lesions, normals = (section["nothing"][part]["images"] for part in ("lesion", "normal"))
    caption = f"On {lesions} images with a lesion and {normals} without, in {section['groups']} groups"
    return Table(caption, heads, tuple(rows))


def _row(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    lesion, behind = entry["lesion"], entry.get("behind")
    return (
        estimate(lesion["dice"]),
        Cell(number(lesion["dice_median"])),
        Cell(figure(behind), reading(behind)) if behind else Cell(MISSING),
        estimate(lesion["iou"]),
        estimate(lesion["hd95"], 1),
        Cell(number(lesion["hd95_median"], 1)),
        estimate(lesion["nsd"]),
        estimate(entry["normal"]["drawn"], 0, shares=True),
    )
