"""What an audit found -> its figures with intervals: how far two outlines of one scan agree, how many bear marks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sonoseg.data.audit import Audit
from sonoseg.evaluation.intervals import bootstrap_mean, plain


@dataclass(frozen=True)
class Figures:
    """Each with mean, low, high, n and groups, by drawing groups of copies.

    agreement: mean Dice of two outlines of one scan, with its three ``quartiles``; None where there are no such pairs.
    marked: by label, the share of the images that bear marks.
    """

    agreement: dict[str, Any] | None
    marked: Mapping[str, dict[str, Any]]


def sum_up(audit: Audit) -> Figures:
    """Compute the figures of an audit; labels stand in the order in which they are met."""
    marked = {}
    for label in dict.fromkeys(look.label for look in audit.looks):
        looks = [look for look in audit.looks if look.label == label]
        groups = [audit.groups[look.name] for look in looks]
        marked[label] = plain(bootstrap_mean([float(look.marked) for look in looks], groups))
    return Figures(_agreement(audit), marked)


def _agreement(audit: Audit) -> dict[str, Any] | None:
    pairs = audit.outlined_twice()
    if not pairs:
        return None
    dice = [each.dice or 0.0 for each in pairs]
    mean = bootstrap_mean(dice, [audit.groups[each.first] for each in pairs])
    return plain(mean) | {"quartiles": np.quantile(dice, (0.25, 0.5, 0.75)).tolist()}
