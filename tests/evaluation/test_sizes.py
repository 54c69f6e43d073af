import math

import numpy as np
import pytest

from sonoseg.evaluation.sizes import longest


def test_the_longest_diameter_is_that_of_the_largest_component() -> None:
    mask = np.zeros((60, 80), bool)
    assert math.isnan(longest(mask))
    mask[10:20, 10:20] = True
    mask[40, 5:75] = True
    mask[30:34, 30:34] = True
    assert longest(mask) == pytest.approx(math.hypot(10, 10), abs=2)
