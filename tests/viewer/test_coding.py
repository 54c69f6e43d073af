import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sonoseg.viewer.coding import STEPS, pack, unpack

MAPS = arrays.arrays(np.float32, (3, 4), elements=st.floats(0, 1, width=32))


@given(MAPS)
def test_what_is_packed_comes_back_within_a_step(probability: np.ndarray) -> None:
    again = unpack(pack(probability), 3, 4)
    assert again.dtype == np.float32
    assert np.abs(again - probability).max() <= 1.1 / STEPS


def test_a_threshold_of_four_decimals_cuts_both_alike() -> None:
    rng = np.random.default_rng(0)
    for threshold in (rng.integers(1, 10_000, 400) / 10_000).tolist():
        cut = np.float32(threshold)
        near = np.array([np.nextafter(cut, np.float32(1)), cut, cut - np.float32(1e-6), cut + np.float32(1e-6)])
        probability = np.concatenate([near, rng.random(60, np.float32)]).reshape(8, 8).clip(0, 1)
        steps = np.rint(unpack(pack(probability), 8, 8) * STEPS)
        assert ((steps >= round(threshold * STEPS)) == (probability >= threshold)).all()
