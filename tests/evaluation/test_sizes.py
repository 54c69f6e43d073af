import math

import numpy as np
import pytest

from rows import row
from sonoseg.evaluation.sizes import longest, summarise


def test_the_longest_diameter_is_that_of_the_largest_component() -> None:
    mask = np.zeros((60, 80), bool)
    assert math.isnan(longest(mask))
    mask[10:20, 10:20] = True
    mask[40, 5:75] = True
    mask[30:34, 30:34] = True
    assert longest(mask) == pytest.approx(math.hypot(10, 10), abs=2)


def test_errors_of_diameters_are_told_of_what_is_drawn_and_misses_apart() -> None:
    rows = [
        row(f"benign ({number})", diameter=diameter, true_diameter=100.0)
        for number, diameter in enumerate((90.0, 100.0, 130.0, math.nan))
    ]
    told = summarise(rows)
    assert (told["n"], told["missed"]) == (3, 1)
    assert told["error"] == {"median": 10.0, "p90": pytest.approx(26.0)}
    mean, deviation = 20 / 3, np.std([-10, 0, 30], ddof=1)
    assert told["agreement"]["mean"] == pytest.approx(mean, abs=1e-5)
    assert told["agreement"]["high"] - told["agreement"]["low"] == pytest.approx(2 * 1.96 * deviation, abs=1e-4)
    assert summarise(rows[3:]) == {}
