"""One prediction held against the truth, for whoever works from Python."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sonoseg.errors import UserError
from sonoseg.evaluation import metrics
from sonoseg.prediction.predictor import Prediction


def measure(found: Prediction | NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, Any]:
    """Measure a prediction, or a mask of any origin, ``bool (H, W)``, against the truth, ``bool (H, W)``.

    Gives what ``metrics.measure`` gives: Dice, IoU, HD95, lesions found, and so on, by name; in mm where a prediction's
    spacing is known. Errors: ``UserError`` for masks of another form or of two sizes.
    """
    mask = found.mask if isinstance(found, Prediction) else found
    for name, values in (("drawn mask", mask), ("truth", truth)):
        if not isinstance(values, np.ndarray) or values.dtype != np.bool_ or values.ndim != 2 or not values.size:
            form = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
            raise UserError(f"the {name} must be bool (H, W), not {form}", hint="mask > 127 makes one of a picture's")
    if mask.shape != truth.shape:
        raise UserError(f"the drawn mask is {mask.shape} and the truth {truth.shape}", hint="give both of one image")
    if isinstance(found, Prediction):
        return metrics.measure(mask, truth, found.probability, found.image.spacing)
    return metrics.measure(mask, truth)
