"""An audit -> one self-contained page with pictures: no script, no request, equal bytes from an equal audit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from sonoseg import __version__
from sonoseg.data.audit import ALL_PAIRS, COLUMNS, Audit, Comparison, Look, crosses, rows
from sonoseg.data.registration import COPY_SCORE
from sonoseg.data.samples import ALONE, LABELS
from sonoseg.evaluation.audited import Figures
from sonoseg.files import write_csv, write_text
from sonoseg.images.image import Image
from sonoseg.images.marks import MARK_SCORE
from sonoseg.prediction.lesions import LESION_PIXELS
from sonoseg.reports import charts
from sonoseg.reports.audit import plots
from sonoseg.reports.audit.checks import CHECKS
from sonoseg.reports.figures import counted, number, percent, sentence, span
from sonoseg.reports.template import fill

PAGE, TABLE = "audit.html", "audit.csv"

THUMBNAIL = 208
"""Longest side of a thumbnail, in pixels."""

LEAST, GROUPS, MEMBERS, PICTURED = 12, 300, 12, 24
"""Groups that stand open on the page, groups and images of each that are pictured, pictures of any other finding."""


@dataclass(frozen=True)
class Thumbnail:
    """What the page shows of an image. scan: a data URI. outline: a path in half pixels of the image's own size."""

    scan: str
    outline: str


def thumbnail(image: Image, mask: NDArray[np.bool_]) -> Thumbnail:
    """Make a small picture with the outline of its mask, ``bool (H, W)``: what ``audit.measure`` is to keep."""
    return Thumbnail(charts.scan(image.pixels, THUMBNAIL), charts.outline(mask))


def write(folder: Path, audit: Audit, figures: Figures, command: str) -> list[Path]:
    """Write ``audit.html`` and ``audit.csv``, each whole or not at all; what an earlier audit wrote is replaced.

    audit: measured with ``thumbnail`` kept. figures: of that audit. command: how it was started, for the page.
    Errors: ``OSError``.
    """
    write_csv(folder / TABLE, COLUMNS, rows(audit))
    write_text(folder / PAGE, page(audit, figures, command))
    return [folder / PAGE, folder / TABLE]


def sentences(audit: Audit, figures: Figures) -> list[str]:
    """What was found, in the sentences that the page begins with."""
    return _sentences(audit, figures, _Copies(audit), _found(audit))


def page(audit: Audit, figures: Figures, command: str) -> str:
    """Make the page; arguments as of ``write``."""
    copies = _Copies(audit)
    found = _found(audit)
    pictured = {key: _spread(looks) for key, looks in found.items()}
    own = _own(audit, copies)
    shown = {look.name: look for looks in pictured.values() for look in looks}
    shown |= {look.name: look for group in (*copies.shown, *own["groups"]) for look in group["looks"]}
    labels = [label for label in LABELS if any(look.label == label for look in audit.looks)]
    return fill(
        "audit.html.j2",
        data=audit.data,
        sentences=_sentences(audit, figures, copies, found),
        facts=_facts(audit, copies),
        summary=_summary(audit, copies, found),
        numbers={name: index for index, name in enumerate(shown)},
        shown=list(shown.values()),
        nothing="",
        groups_count=len(copies.groups),
        grouped_count=copies.images,
        crossing=copies.crossing,
        least=copies.within[:LEAST],
        others=copies.within[LEAST : copies.room],
        hidden_groups=max(0, len(copies.within) - copies.room),
        agreement=plots.agreement(audit, figures.agreement),
        own=own,
        checks=[(check, found[check.key]) for check in CHECKS],
        pictured=pictured,
        marks_chart=plots.marks_chart(figures.marked, labels),
        labels=labels,
        class_table=plots.class_table(audit, labels),
        size_charts=plots.size_charts(audit, labels),
        failures=audit.failures,
        rules=_RULES,
        version=__version__,
        command=command,
    )


_RULES = {
    "Copies": f"Found from the pixels: median correlation of tiles after registration, {COPY_SCORE} or more; pairs are "
    "closed into groups. Other views of one lesion are no copies, and a group is not a patient.",
    "Agreement": "Dice of two masks after registration, where both pictures are; every pair of a group of up to "
    f"{ALL_PAIRS}, neighbours in larger ones. Pairs where one mask is empty are conflicts of labels, and are left "
    "out of the mean.",
    "Parts": f"A lesion is a part of a mask of {LESION_PIXELS} pixels or more, touching by side or corner; a speck is "
    "a smaller one. A hole is background that the mask encloses, touching by side.",
    "Border": "A mask touches the border with a pixel in the first or last row or column.",
    "Marks": "The strongest bright line narrower than 7 pixels, upright for 6, stands out from both its sides by "
    f"{MARK_SCORE} of 255 or more, below the top 6 % of the picture.".replace(" %", "\u00a0%"),
}


class _Copies:
    """The groups as the page shows them: those that cross classes first, then those that agree less."""

    def __init__(self, audit: Audit) -> None:
        self.groups = audit.copies()
        self.images = sum(map(len, self.groups.values()))
        self._compared: dict[str, list[Comparison]] = {}
        for each in audit.comparisons:
            self._compared.setdefault(audit.groups[each.first], []).append(each)
        ordered = sorted(self.groups, key=self._least)
        shown = [self.describe(name) for name in ordered]
        self.crossing = [group for group in shown if group["crosses"]]
        self.within = [group for group in shown if not group["crosses"]]
        self.room = max(LEAST, GROUPS - len(self.crossing))
        self.shown = [*self.crossing, *self.within[: self.room]]

    def describe(self, name: str) -> dict[str, Any]:
        """What the template needs of a group."""
        looks = self.groups[name]
        return {"looks": looks[:MEMBERS], "crosses": crosses(looks), "words": self._words(name)}

    def _dice(self, name: str) -> list[float]:
        return [each.dice for each in self._compared[name] if each.dice is not None]

    def _least(self, name: str) -> float:
        return min(self._dice(name), default=2.0)

    def _words(self, name: str) -> Markup:
        dice, compared = self._dice(name), self._compared[name]
        head = Markup("<strong>{} images</strong> · ").format(len(self.groups[name]))
        if all(look.empty for look in self.groups[name]):
            return head + "no lesion drawn in any"
        if not dice:
            return head + "masks could not be compared"
        low, high = number(min(dice), 2), number(max(dice), 2)
        agree = f"masks agree at Dice {low if low == high else span({'low': min(dice), 'high': max(dice)}, 2)}"
        return head + agree + (", one of them empty" if any(each.one_empty for each in compared) else "")


def _found(audit: Audit) -> dict[str, list[Look]]:
    return {check.key: check.among(audit.looks) for check in CHECKS}


def _sentences(audit: Audit, figures: Figures, copies: _Copies, found: Mapping[str, Sequence[Look]]) -> list[str]:
    images = len(audit.looks)
    scans = images - copies.images + len(copies.groups)
    told = (
        f"{images} images show {counted(scans, 'different scan')}: {copies.images} of them lie in "
        f"{counted(len(copies.groups), 'group')} of copies."
        if copies.groups
        else f"No image of the {images} is a copy of another one."
    )
    sentences = [told]
    if copies.crossing:
        bears = "bears" if len(copies.crossing) == 1 else "bear"
        sentences.append(f"{counted(len(copies.crossing), 'group')} {bears} more than one label.")
    agreed = figures.agreement
    if agreed and agreed["groups"] >= plots.ENOUGH:
        sentences.append(
            f"The same scan outlined twice agrees at a mean Dice of {sentence(agreed)}, median "
            f"{number(agreed['quartiles'][1])} ({counted(agreed['n'], 'pair')}): so noisy are the masks."
        )
    if found["marks"]:
        sentences.append(f"{percent(len(found['marks']) / images, 0)} of the images bear burnt-in marks.")
    if audit.failures:
        sentences.append(f"{counted(len(audit.failures), 'image')} could not be read.")
    return sentences


def _facts(audit: Audit, copies: _Copies) -> dict[str, int]:
    facts = {
        "Images": len(audit.looks),
        "Different scans": len(audit.looks) - copies.images + len(copies.groups),
        "Groups of copies": len(copies.groups),
        "Across classes": len(copies.crossing),
    }
    return facts | ({"Unreadable": len(audit.failures)} if audit.failures else {})


def _summary(audit: Audit, copies: _Copies, found: Mapping[str, Sequence[Look]]) -> list[dict[str, Any]]:
    crossing = sum(len(looks) for looks in copies.groups.values() if crosses(looks))

    def line(key: str, title: str, count: int, advice: str) -> dict[str, Any]:
        return {
            "key": key if count else "",
            "title": title,
            "count": count,
            "share": percent(count / (len(audit.looks) + len(audit.failures))) if count else "",
            "advice": advice,
        }

    return [
        line("copies", "Copies across classes", crossing, "One label is wrong: look at each group."),
        line("copies", "Copies", copies.images, "Keep groups whole in every split."),
        *(line(each.key, each.title, len(found[each.key]), each.advice) for each in CHECKS),
        line("unreadable", "Unreadable", len(audit.failures), "Copy or download them again."),
    ]


def _spread(looks: Sequence[Look]) -> list[Look]:
    """At most ``PICTURED`` of them, evenly spread."""
    if len(looks) <= PICTURED:
        return list(looks)
    return [looks[index * len(looks) // PICTURED] for index in range(PICTURED)]


def _own(audit: Audit, copies: _Copies) -> dict[str, Any]:
    """What the groups and folds that come with the set say about the copies that were found."""
    own = {row.image: row for row in audit.data.folds.rows}
    parted = [name for name, looks in copies.groups.items() if len({own[look.name].group for look in looks}) > 1]
    leaking = [name for name in parted if len({own[look.name].fold for look in copies.groups[name]}) > 1]
    words = [f"A group of this set is: {audit.data.grouping}."]
    if not copies.groups:
        words.append("No copies were found that it could part.")
    elif not parted:
        words.append("It keeps the images of every group of copies together.")
    else:
        words.append(
            f"It parts {len(parted)} of the {counted(len(copies.groups), 'group')} of copies. In more than one of its "
            f"folds lie {len(leaking)} of these"
            + (": with these folds, copies of test images are trained on." if leaking else ".")
        )
    members: dict[str, set[str]] = {}
    for look in audit.looks:
        members.setdefault(own[look.name].group, set()).add(look.name)
    if audit.data.grouping.startswith("copies"):
        same = {frozenset(look.name for look in looks) for looks in copies.groups.values()}
        theirs = {frozenset(names) for names in members.values() if len(names) > 1}
        words.append(
            f"Of its {counted(len(theirs), 'group')} of copies, {len(theirs & same)} were found here just as they are."
        )
    shown = [] if audit.data.grouping == ALONE else [copies.describe(name) for name in parted[:GROUPS]]
    return {"words": words, "groups": shown}
