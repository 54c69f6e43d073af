"""How noisy the masks are: copies of one scan that were outlined twice, one laid over the other, as the data's ceiling.

It is no hard bound: a network that draws what two outlines have in common agrees with each of them better than they do
with each other. But differences between networks above it are hard to tell from the noise of the masks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from sonoseg.data.registration import agreement
from sonoseg.data.samples import DataSet, Pair, Sample
from sonoseg.errors import UserError
from sonoseg.evaluation.intervals import bootstrap_mean, bootstrap_median, plain
from sonoseg.files import write_csv, write_json, write_text
from sonoseg.reports.figures import figure, short
from sonoseg.reports.table import markdown

TABLE, CONFLICTS, SUMMARY, PAGE = "labels.csv", "conflicts.csv", "summary.json", "labels.md"
COLUMNS = ("first", "second", "group", "first_label", "second_label", "agreement")
"""The columns of ``labels.csv``: a row for each pair of images of a group that both have a lesion in their mask.

agreement: Dice after registration; empty where the two could not be laid over each other well enough to compare.
"""

APART = 0.5
"""Pairs that agree less have outlines of different things rather than different outlines of one."""

CONFLICT_COLUMNS = ("image", "label", "group", "agreement")
"""The columns of ``conflicts.csv``: images that agree with their copies below ``APART``, in the mean over pairs."""

REGISTERED = 100
"""Images that are laid over themselves."""


@dataclass(frozen=True)
class Outlined:
    """Two images of one group, both with a lesion in their mask; agreement: Dice after registration, or None."""

    first: str
    second: str
    group: str
    first_label: str
    second_label: str
    agreement: float | None


def measure(data: DataSet, progress: Callable[[int, int], None] | None = None) -> list[Outlined]:
    """Compare the masks of every pair of images in a group, in the order of the set.

    Images that are in no fold are compared as well. Pairs of which one has an empty mask say nothing about outlines
    and are left out. Errors: ``UserError`` for a set without groups of several images, and those of ``Sample.read``.
    """
    members: dict[str, list[Sample]] = defaultdict(list)
    for sample in data.samples:
        members[data.folds.groups[sample.name]].append(sample)
    several = {group: samples for group, samples in members.items() if len(samples) > 1}
    if not several:
        raise UserError(
            f"{data.name} has no group of several images, so nothing was outlined twice",
            hint="find copies first: sonoseg data folds DATA --out folds.csv",
        )
    found: list[Outlined] = []
    for number, (group, samples) in enumerate(several.items(), 1):
        found += _within(group, samples)
        if progress:
            progress(number, len(several))
    return found


def measure_itself(data: DataSet, count: int = REGISTERED) -> list[float]:
    """What registration alone costs: an image is cut and resized by known amounts, and its mask compared with itself.

    Up to ``count`` images with a lesion, drawn with a fixed seed; up to 8 % are cut off each side and the rest is
    scaled by 0.75 to 1.25. Gives the agreements of those that could be laid over their own original.
    """
    generator = np.random.default_rng(0)
    found = []
    for place in generator.permutation(len(data.samples)).tolist():
        image, mask = data.samples[place].read()
        if not mask.any():
            continue
        cut = (generator.uniform(0, 0.08, 4) * np.tile(image.shape, 2)).astype(int)
        inner = (slice(cut[0], image.shape[0] - cut[2]), slice(cut[1], image.shape[1] - cut[3]))
        scale = generator.uniform(0.75, 1.25)
        pixels, drawn = (
            _resized(part[inner], scale) for part in (image.pixels, np.where(mask, np.uint8(255), np.uint8(0)))
        )
        agreed = agreement(image.pixels, mask, pixels, drawn >= 128)
        found += [] if agreed is None else [agreed]
        count -= 1
        if not count:
            break
    return found


def _resized(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    height, width = (max(1, round(side * scale)) for side in pixels.shape)
    return np.asarray(PIL.Image.fromarray(pixels).resize((width, height), PIL.Image.Resampling.BILINEAR))


def _within(group: str, samples: Sequence[Sample]) -> Iterator[Outlined]:
    read: list[tuple[Sample, Pair]] = [(sample, sample.read()) for sample in samples]
    outlined = [(sample, pair) for sample, pair in read if pair[1].any()]
    for (one, (image, mask)), (other, (other_image, other_mask)) in combinations(outlined, 2):
        agreed = agreement(image.pixels, mask, other_image.pixels, other_mask)
        yield Outlined(one.name, other.name, group, one.label, other.label, agreed)


def sum_up(pairs: Sequence[Outlined], itself: Sequence[float] = ()) -> dict[str, Any]:
    """Mean and median agreement with intervals over groups: of all pairs, group by group, and by class. Plain data.

    itself: as ``measure_itself`` gives it; each image is its own group.
    groups_once: each group counts once, by the mean of its pairs. worst_group: that in which most pairs agree
    below ``APART``; without_worst_group: all pairs but its own. classes: of pairs of one label, and of two.
    """
    compared = [pair for pair in pairs if pair.agreement is not None]
    kinds = {_kind(pair) for pair in compared}
    by_group: dict[str, list[float]] = defaultdict(list)
    for pair in compared:
        by_group[pair.group].append(pair.agreement or 0.0)
    means = [sum(values) / len(values) for values in by_group.values()]
    worst = max(by_group, key=lambda group: sum(value < APART for value in by_group[group]), default="")
    return {
        "pairs": len(pairs),
        "compared": len(compared),
        "apart": sum((pair.agreement or 0.0) < APART for pair in compared),
        "all": _of(compared),
        "worst_group": {"group": worst, "pairs": len(by_group[worst])},
        "without_worst_group": _of([pair for pair in compared if pair.group != worst]),
        "groups_once": _both(means, list(by_group)),
        "itself": _both(list(itself), [str(number) for number in range(len(itself))]),
        "classes": {kind: _of([pair for pair in compared if _kind(pair) == kind]) for kind in sorted(kinds)},
    }


def _kind(pair: Outlined) -> str:
    return pair.first_label if pair.first_label == pair.second_label else "of two classes"


def _of(pairs: Sequence[Outlined]) -> dict[str, Any]:
    return _both([pair.agreement or 0.0 for pair in pairs], [pair.group for pair in pairs])


def _both(values: Sequence[float], groups: Sequence[str]) -> dict[str, Any]:
    return {"mean": plain(bootstrap_mean(values, groups)), "median": plain(bootstrap_median(values, groups))}


def conflicts(pairs: Sequence[Outlined]) -> list[dict[str, Any]]:
    """A row of ``CONFLICT_COLUMNS`` for each image that is outlined in conflict with its copies."""
    found: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for pair in pairs:
        if pair.agreement is not None:
            found[pair.first].append((pair.first_label, pair.group, pair.agreement))
            found[pair.second].append((pair.second_label, pair.group, pair.agreement))
    means = {image: sum(row[-1] for row in rows) / len(rows) for image, rows in found.items()}
    return [
        dict(zip(CONFLICT_COLUMNS, (image, *found[image][0][:2], f"{mean:.4f}"), strict=True))
        for image, mean in means.items()
        if mean < APART
    ]


def write(folder: Path, pairs: Sequence[Outlined], summary: dict[str, Any], name: str, command: str) -> None:
    """Write ``labels.csv``, ``conflicts.csv``, ``summary.json`` and ``labels.md``.

    name: of the set; command: what was typed.
    """
    rows = ({**vars(pair), "agreement": "" if pair.agreement is None else f"{pair.agreement:.4f}"} for pair in pairs)
    write_csv(folder / TABLE, COLUMNS, rows)
    write_csv(folder / CONFLICTS, CONFLICT_COLUMNS, conflicts(pairs))
    write_json(folder / SUMMARY, {"data": name, **summary, "command": command})
    write_text(folder / PAGE, page(summary, name, command))


def page(summary: dict[str, Any], name: str, command: str) -> str:
    """The finding in Markdown."""
    worst = summary["worst_group"]
    parts = {
        "all pairs": summary["all"],
        f"without the {worst['pairs']} of the group of {worst['group']}": summary["without_worst_group"],
        "each group once": summary["groups_once"],
        **summary["classes"],
        "a mask and itself": summary["itself"],
    }
    heads = ("masks of copies", "pairs", "groups", "mean Dice [95 %]", "median [95 %]")
    lines = [
        (label, str(part["mean"]["n"]), str(part["mean"]["groups"]), figure(part["mean"]), figure(part["median"]))
        for label, part in parts.items()
    ]
    return (
        f"# How noisy the masks are: {name}\n\n"
        f"Of {summary['pairs']} pairs of images of one group that both have an outline, {summary['compared']} could be "
        "laid over each other. There the two outlines agree as the table says. It is no hard bound: a network that "
        "draws what two outlines have in common agrees with each better than they do with each other. "
        f"{summary['apart']} pairs agree below {short(APART)}: they outline different things, and pull the mean away "
        "from the median. The last line is what registration alone costs: images that were cut and resized on purpose, "
        "laid over themselves.\n\n"
        f"{markdown(heads, lines)}\n    {command}\n"
    )
