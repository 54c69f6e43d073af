"""Makes folds: finds the copies in a set's pixels, tells what is odd of a group, and deals groups to folds.

Where the pixels show that two groups are neighbouring frames of one sweep, ``make`` puts them into one fold all the
same.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import length_hint

import numpy as np
from numpy.typing import NDArray

from sonoseg.data.copies import find_pairs, group, natural_key
from sonoseg.data.folds import COPY, CROSSES, EXCLUDED, Folds, Row
from sonoseg.data.registration import COPY_SCORE, NEIGHBOUR_SCORE
from sonoseg.errors import UserError

_NORMAL = "normal"


def make(
    images: Iterable[tuple[str, str, NDArray[np.uint8]]],
    k: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Folds:
    """Make the folds of a set from its pixels: pairs, groups, flags, folds.

    images: (name, label, ``uint8 (H, W)``), read once, one at a time. progress: as ``find_pairs`` calls it.
    The same images give the same folds in any order and on any machine. Errors: ``UserError`` as ``assign``.
    """
    labels: dict[str, str] = {}
    pairs = find_pairs(_Pixels(images, labels), progress, least=NEIGHBOUR_SCORE)
    copies = group(labels, (pair for pair in pairs if pair.score >= COPY_SCORE))
    return from_groups(labels, copies, group(labels, pairs), k, seed)


def from_groups(
    labels: Mapping[str, str],
    groups: Mapping[str, str],
    neighbourhoods: Mapping[str, str] | None = None,
    k: int = 5,
    seed: int = 0,
) -> Folds:
    """Make folds of known groups: flags by the rules of ``folds``, folds by ``assign``.

    labels, groups, neighbourhoods: by name. A neighbourhood is made of whole groups that must share a fold; without
    them every group stands alone. Errors: as ``assign``.
    """
    classes: dict[str, set[str]] = defaultdict(set)
    for name, label in labels.items():
        classes[groups[name]].add(label)
    sizes = Counter(groups[name] for name in labels)
    flags = {g: _flags(sizes[g], classes[g]) for g in sizes}
    names = sorted(labels, key=natural_key)
    kept = [name for name in names if EXCLUDED not in flags[groups[name]]]
    folds = assign(kept, labels, neighbourhoods or groups, k, seed)
    return Folds(tuple(Row(n, labels[n], groups[n], folds.get(n), flags[groups[n]]) for n in names))


def assign(
    names: Iterable[str], labels: Mapping[str, str], groups: Mapping[str, str], k: int = 5, seed: int = 0
) -> dict[str, int]:
    """Give every name a fold from 0 to ``k`` - 1, groups whole, classes balanced.

    Largest groups first, each to the fold that holds the fewest images of its classes, then the fewest images; equal
    ones are told apart by SHA-256 of the seed and the names. Only integers are compared, and the order of ``names``
    does not matter. Errors: ``UserError`` where ``k`` is below 2 or above the number of groups.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[groups[name]].append(name)
    if not 2 <= k <= len(members):
        raise UserError(
            f"{k} folds cannot be made of {len(members)} groups; 2 to {len(members)} can",
            hint="ask for another number of folds",
        )
    order = sorted(members, key=lambda g: (-len(members[g]), _draw(seed, g), g))
    held: list[Counter[str]] = [Counter() for _ in range(k)]
    folds = {}
    for chosen_group in order:
        added = Counter(labels[name] for name in members[chosen_group])
        fold = min(range(k), key=lambda f: (_cost(held[f], added), held[f].total(), _draw(seed, f"{chosen_group} {f}")))
        held[fold].update(added)
        folds.update(dict.fromkeys(members[chosen_group], fold))
    return folds


class _Pixels:
    """Hands (name, pixels) on and notes the labels; its length is that of the images, where they have one."""

    def __init__(self, images: Iterable[tuple[str, str, NDArray[np.uint8]]], labels: dict[str, str]) -> None:
        self.images, self.labels = images, labels

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        for name, label, pixels in self.images:
            self.labels[name] = label
            yield name, pixels

    def __length_hint__(self) -> int:
        return length_hint(self.images)


def _flags(size: int, classes: set[str]) -> tuple[str, ...]:
    crosses = len(classes) > 1
    return tuple(
        flag
        for flag, holds in ((COPY, size > 1), (CROSSES, crosses), (EXCLUDED, crosses and _NORMAL in classes))
        if holds
    )


def _draw(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed} {text}".encode()).hexdigest()


def _cost(held: Counter[str], added: Counter[str]) -> int:
    """How much the sum of squared class counts of a fold grows."""
    return sum(number * (2 * held[label] + number) for label, number in added.items())
