"""Rows of ``cases.csv``, made by hand or from masks."""

from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.evaluation.cases import COLUMNS, Case
from sonoseg.evaluation.metrics import measure


def row(image: str, model: str = "a", dice: float = 0.5, lesion: int = 50, **changes: Any) -> Case:
    """A row on an image of 1,000 pixels, alone in its group; without lesion pixels Dice is undefined."""
    found: dict[str, Any] = dict.fromkeys(COLUMNS, nan)
    found |= {"image": image, "label": "benign", "group": image, "model": model, "fold": 0, "seed": 0}
    found |= {"tp": lesion, "fp": 0, "fn": 0, "tn": 1000 - lesion, "dice": dice if lesion else nan}
    found |= {"lesions": int(lesion > 0), "lesions_found": int(lesion > 0), "false_lesions": 0}
    found |= {"lesions_found_50": int(lesion > 0), "false_lesions_50": 0, "drawn": int(lesion > 0)}
    found |= {"drawn_pixels": lesion} | changes
    return Case(**found)


def judged(drawn: NDArray[np.bool_], truth: NDArray[np.bool_], **keys: Any) -> Case:
    """The row of two masks; probability is 0.9 where something is drawn."""
    height, width = truth.shape
    told: dict[str, Any] = {"height": height, "width": width, "confidence": nan, "marks": nan} | keys
    return Case(**measure(drawn, truth, drawn * 0.9), **told)
