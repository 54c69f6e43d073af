"""What a network leaves undrawn: the rule for specks and for silence that is chosen on images that it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from sonoseg.prediction.lesions import components, confidences

SHARES = (0.0, 0.0002, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01)
"""Shares of the image's area that are tried as the smallest lesion."""

CONFIDENCES = (0.0, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)
"""Mean probabilities of a component that are tried as the least confidence."""

PRESENCES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
"""Presences that are tried as the least one at which anything is drawn."""

LOSS = 0.002
"""Lesion Dice that the rule may cost."""

RULE = (
    f"Of the rules that were tried, those that cost no more than {LOSS:g} of the best mean lesion Dice; of them the "
    "one that draws on the fewest normals, then the one of the highest Dice."
)


class Rule(TypedDict):
    """What is left out, as ``Predictor`` has it."""

    smallest_lesion: float
    least_confidence: float
    least_presence: float


@dataclass(frozen=True, eq=False)
class Trial:
    """One image under every rule of ``SHARES`` x ``CONFIDENCES`` x ``PRESENCES``.

    dice: ``float (shares, confidences, presences)``, NaN without a lesion. drawn: the same shape, 0 or 1.
    """

    fold: int
    dice: NDArray[np.float64]
    drawn: NDArray[np.float64]


def attempt(
    fold: int,
    drawn: NDArray[np.bool_],
    probability: NDArray[np.float32],
    truth: NDArray[np.bool_],
    presence: float | None = None,
) -> Trial:
    """What each rule makes of an image.

    drawn: ``bool (H, W)`` before any rule. probability: ``float32 (H, W)``. truth: as drawn. presence: None where none
    is told; then every rule draws.
    """
    found = components(drawn)
    overlaps = np.bincount(found.labels[truth], minlength=len(found.sizes) + 1)[1:]
    large = found.sizes >= np.array(SHARES)[:, None] * drawn.size
    clear = confidences(found, probability) >= np.array(CONFIDENCES)[:, None]
    kept = large[:, None] & clear[None]
    heard = np.ones(len(PRESENCES)) if presence is None else (presence >= np.array(PRESENCES)).astype(np.float64)
    extent = int(truth.sum())
    dice = 2 * (overlaps * kept).sum(-1) / np.maximum((found.sizes * kept).sum(-1) + extent, 1)
    if not extent:
        dice = np.full_like(dice, np.nan)
    any_drawn = np.asarray(kept.any(-1), np.float64)
    return Trial(fold, dice[..., None] * heard, any_drawn[..., None] * heard)


def choose(trials: Sequence[Trial]) -> Rule:
    """The rule that ``RULE`` states, by these images."""
    dice, drawn = means(trials)
    allowed = np.argwhere(dice >= dice.max() - LOSS)
    places = min(allowed, key=lambda place: (0 if drawn is None else drawn[*place], -dice[*place]))
    share, confidence, presence = places.tolist()
    return {
        "smallest_lesion": SHARES[share],
        "least_confidence": CONFIDENCES[confidence],
        "least_presence": PRESENCES[presence],
    }


def means(trials: Sequence[Trial]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Mean lesion Dice, and the share of normals drawn on, of each rule; None for that without normals."""
    normals = [trial.drawn for trial in trials if np.isnan(trial.dice).all()]
    dice = np.mean([trial.dice for trial in trials if not np.isnan(trial.dice).all()], axis=0)
    return dice, np.mean(normals, axis=0) if normals else None


def told(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """A row for each rule, for a table."""
    dice, drawn = means(trials)
    grid = product(*(enumerate(values) for values in (SHARES, CONFIDENCES, PRESENCES)))
    return [
        {
            **dict(zip(Rule.__annotations__, (value for _, value in entry), strict=True)),
            "dice": round(float(dice[*(place for place, _ in entry)]), 6),
            "drawn": None if drawn is None else round(float(drawn[*(place for place, _ in entry)]), 6),
        }
        for entry in grid
    ]
