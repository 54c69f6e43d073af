"""A set of images and masks -> what is the matter with it, as plain data: copies, odd masks, marks, sizes, labels.

Each image is read once, several at a time; what is kept of it is small (about 20 KB), so sets of many thousand fit.
An image that cannot be read is listed and the others go on.
"""

import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.copies import find_pairs, group, natural_key
from sonoseg.data.registration import Small, agreement, small
from sonoseg.data.samples import DataSet, Sample
from sonoseg.errors import UserError
from sonoseg.images.image import Image
from sonoseg.images.marks import marks
from sonoseg.images.masks import extent
from sonoseg.prediction.lesions import LESION_PIXELS, components

FULL_SHARE = 0.95
"""A mask that covers this share of its image, or more, is called full."""

ALL_PAIRS = 12
"""In a group of more images than this, such as a whole clip, each is compared with the next one alone."""

COLUMNS = (
    "image",
    "label",
    "group",
    "copies",
    "crosses_classes",
    "agreement",
    "masks",
    "lesions",
    "specks",
    "holes",
    "touches_border",
    "empty",
    "full",
    "coloured",
    "marks",
    "height",
    "width",
    "lesion_share",
    "own_group",
    "own_fold",
    "problem",
)
"""The columns of ``audit.csv``; ``docs/data.md`` says what each is."""

Keep = Callable[[Image, NDArray[np.bool_]], Any]
Stages = Callable[[str, int, int], None]
"""Told after each step: the stage, how many of its steps are done, and of how many."""


@dataclass(frozen=True, eq=False)
class Look:
    """One image by itself.

    shape: (H, W). masks: mask files, None where the set does not tell. lesions: components of its mask of
    ``LESION_PIXELS`` or more (pixels that touch by side or corner); specks: smaller ones. holes: background that the
    mask encloses (touching by side). touches_border: the mask has a pixel in the first or last row or column.
    share: of the image that is mask, 0 to 1. kept: what ``Keep`` made of it.
    """

    name: str
    label: str
    shape: tuple[int, int]
    masks: int | None
    lesions: int
    specks: int
    holes: int
    touches_border: bool
    share: float
    coloured: bool
    marked: bool
    kept: Any = None

    @property
    def empty(self) -> bool:
        """Whether the mask has no pixel."""
        return self.share == 0

    @property
    def full(self) -> bool:
        """Whether the mask covers (nearly) all of the image."""
        return self.share >= FULL_SHARE


@dataclass(frozen=True)
class Comparison:
    """Two images of one group. dice: ``agreement`` of their masks. one_empty: a lesion is drawn in one alone."""

    first: str
    second: str
    dice: float | None
    one_empty: bool


@dataclass(frozen=True)
class Failure:
    """An image that could not be read, and why."""

    name: str
    label: str
    message: str


@dataclass(frozen=True, eq=False)
class Audit:
    """What was found in a set.

    looks: of every image that could be read. groups: of copies, name -> group, those images alone.
    comparisons: of all pairs within a group, of neighbours in those of more than ``ALL_PAIRS`` images.
    """

    data: DataSet
    looks: tuple[Look, ...]
    groups: Mapping[str, str]
    comparisons: tuple[Comparison, ...]
    failures: tuple[Failure, ...]

    def copies(self) -> dict[str, list[Look]]:
        """The groups of more than one image, in natural order."""
        members: dict[str, list[Look]] = defaultdict(list)
        for look in sorted(self.looks, key=lambda look: natural_key(look.name)):
            members[self.groups[look.name]].append(look)
        return {name: looks for name, looks in members.items() if len(looks) > 1}

    def outlined_twice(self) -> list[Comparison]:
        """Comparisons of two outlines: neither mask is empty and the images could be laid over each other."""
        return [each for each in self.comparisons if each.dice is not None and not each.one_empty]

    def dice(self) -> dict[str, list[float]]:
        """Agreement of every image with each of its copies, by name."""
        found: dict[str, list[float]] = defaultdict(list)
        for each in self.comparisons:
            if each.dice is not None:
                found[each.first].append(each.dice)
                found[each.second].append(each.dice)
        return found


def crosses(looks: Sequence[Look]) -> bool:
    """Whether a group has more than one label."""
    return len({look.label for look in looks}) > 1


def measure(data: DataSet, keep: Keep | None = None, progress: Stages | None = None) -> Audit:
    """Look at every image of a set, at all pairs of copies, and at the masks of copies.

    keep: makes something of each image and mask, ``bool (H, W)``, that is wanted later, such as a thumbnail.
    progress: called with a stage, steps done and steps in all. Errors: ``UserError`` where no image can be read.
    """
    report = progress or (lambda _stage, _done, _all: None)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        read, failures = _read_all(data, keep, pool, report)
        count = len(read)
        pairs = find_pairs(
            {name: each.small for name, each in read.items()},
            lambda done, _: report("looking for copies", done - count, count) if done > count else None,
        )
        groups = group(read, pairs)
        comparisons = _compare_all(read, groups, pool, report)
    looks = tuple(each.look for each in read.values())
    return Audit(data, looks, groups, comparisons, failures)


def rows(audit: Audit) -> Iterator[dict[str, Any]]:
    """Rows of ``audit.csv`` in the order of the set; one that could not be read has a ``problem`` and little else."""
    looks, failed = {each.name: each for each in audit.looks}, {each.name: each.message for each in audit.failures}
    sizes, dice, copies = Counter(audit.groups.values()), audit.dice(), audit.copies()
    own = {row.image: row for row in audit.data.folds.rows}
    for sample in audit.data.samples:
        row = own[sample.name]
        told = {"own_group": row.group, "own_fold": "" if row.fold is None else row.fold}
        known = {"image": sample.name, "label": sample.label} | told
        if sample.name in failed:
            yield dict.fromkeys(COLUMNS, "") | known | {"problem": failed[sample.name]}
            continue
        name = audit.groups[sample.name]
        together = {
            "group": name,
            "copies": sizes[name] - 1,
            "crosses_classes": int(name in copies and crosses(copies[name])),
            "agreement": round(float(np.mean(dice[sample.name])), 4) if sample.name in dice else "",
        }
        yield known | together | _alone(looks[sample.name]) | {"problem": ""}


def _alone(look: Look) -> dict[str, Any]:
    return {
        "masks": "" if look.masks is None else look.masks,
        "lesions": look.lesions,
        "specks": look.specks,
        "holes": look.holes,
        "touches_border": int(look.touches_border),
        "empty": int(look.empty),
        "full": int(look.full),
        "coloured": int(look.coloured),
        "marks": int(look.marked),
        "height": look.shape[0],
        "width": look.shape[1],
        "lesion_share": round(look.share, 6),
    }


@dataclass(frozen=True, eq=False)
class _Read:
    """What is kept of an image until all pairs are known: the mask as packed and deflated bits."""

    look: Look
    small: Small
    bits: bytes

    def mask(self) -> NDArray[np.bool_]:
        packed = np.frombuffer(zlib.decompress(self.bits), np.uint8)
        height, width = self.look.shape
        return np.unpackbits(packed, count=height * width).reshape(height, width).astype(bool)


def _read_all(
    data: DataSet, keep: Keep | None, pool: ThreadPoolExecutor, report: Stages
) -> tuple[dict[str, _Read], tuple[Failure, ...]]:
    read, failures = {}, []
    found = pool.map(lambda sample: _read(sample, keep), data.samples)
    for done, (sample, result) in enumerate(zip(data.samples, found, strict=True), 1):
        if isinstance(result, Failure):
            failures.append(result)
        else:
            read[sample.name] = result
        report("reading images", done, len(data.samples))
    if not read:
        first = f"; the first: {failures[0].message}" if failures else ""
        raise UserError(f"no image of {data.spec} can be read{first}", hint="check the set", exit_code=1)
    return read, tuple(failures)


def _read(sample: Sample, keep: Keep | None) -> _Read | Failure:
    try:
        image, mask = sample.read()
    except UserError as error:
        return Failure(sample.name, sample.label, str(error))
    look = Look(
        name=sample.name,
        label=sample.label,
        shape=image.shape,
        masks=sample.masks,
        **_shape_of(mask),
        coloured=image.coloured,
        marked=marks(image),
        kept=keep(image, mask) if keep else None,
    )
    return _Read(look, small(image.pixels), zlib.compress(np.packbits(mask).tobytes(), 1))


def _shape_of(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Components, holes, border and share of ``bool (H, W)``."""
    if not mask.any():
        return {"lesions": 0, "specks": 0, "holes": 0, "touches_border": False, "share": 0.0}
    part = mask[extent(mask)]
    sizes = components(part).sizes
    # All background that reaches the edge of the padded part is one component.
    outside = components(np.pad(~part, 1, constant_values=True), by_corner=False)
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return {
        "lesions": int((sizes >= LESION_PIXELS).sum()),
        "specks": int((sizes < LESION_PIXELS).sum()),
        "holes": len(outside.sizes) - 1,
        "touches_border": any(bool(edge.any()) for edge in edges),
        "share": float(sizes.sum()) / mask.size,
    }


def _compare_all(
    read: Mapping[str, _Read], groups: Mapping[str, str], pool: ThreadPoolExecutor, report: Stages
) -> tuple[Comparison, ...]:
    members: dict[str, list[str]] = defaultdict(list)
    for name in sorted(groups, key=natural_key):
        members[groups[name]].append(name)
    pairs = [
        pair
        for names in members.values()
        for pair in (combinations(names, 2) if len(names) <= ALL_PAIRS else pairwise(names))
    ]
    found = []
    for done, each in enumerate(pool.map(lambda pair: _compare(read, *pair), pairs), 1):
        found.append(each)
        report("comparing masks of copies", done, len(pairs))
    return tuple(found)


def _compare(read: Mapping[str, _Read], first: str, second: str) -> Comparison:
    one, other = read[first], read[second]
    dice = agreement(one.small, one.mask(), other.small, other.mask())
    return Comparison(first, second, dice, one.look.empty != other.look.empty)
