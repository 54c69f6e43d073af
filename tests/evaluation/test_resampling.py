from math import nan

import numpy as np
import pytest

from sonoseg.evaluation.resampling import Runs, Sample, Seeds, as_runs, mean_of_runs

THREE = [[0.25, 0.75, nan], [nan, nan, 0.5], [nan, nan, nan]]
"""Of three rows, what three runs gave."""


def test_a_row_is_the_mean_over_the_runs_that_judged_it():
    found = mean_of_runs(THREE, ["a", "a", "b"])
    np.testing.assert_array_equal(found.values, [0.5, 0.5, nan])
    np.testing.assert_array_equal(found.parts[:2], [[0.125, 0.375, 0], [0, 0, 0.5]])
    assert found[np.array([False, True, False])].values.tolist() == [0.5]


def test_a_difference_is_defined_where_both_are():
    one, other = mean_of_runs(THREE, ["a", "a", "b"]), as_runs([0.25, nan, 1])
    np.testing.assert_array_equal((one - other).values, [0.25, nan, nan])
    assert (one - other).recipes[:3] == ("a", "a", "b")
    with pytest.raises(ValueError, match="two lists of one length"):
        as_runs([[1, 2]])


def test_a_draw_is_of_whole_groups_and_each_as_often_as_another():
    sample = Sample([as_runs([0, 0, 3])], ["a", "a", "b"])
    assert (sample.count, sample.n.tolist(), sample.means.tolist()) == (2, [3], [1.0])
    drawn = sample.drawn(4000, 0, 0.95)[:, 0]
    values, times = np.unique(drawn, return_counts=True)
    assert values.tolist() == [0, 1, 3]
    assert times / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    np.testing.assert_array_equal(drawn, sample.drawn(4000, 0, 0.95)[:, 0])


def test_many_draws_are_made_in_pieces_that_do_not_show(monkeypatch: pytest.MonkeyPatch):
    sample = Sample([as_runs(np.arange(20.0))], np.arange(20))
    whole = sample.drawn(50, 1, 0.95)
    monkeypatch.setattr("sonoseg.evaluation.resampling._DRAWN", 60)
    np.testing.assert_array_equal(sample.drawn(50, 1, 0.95), whole)


def test_groups_without_a_value_are_not_drawn_and_one_alone_gives_nothing():
    assert Sample([as_runs([1, nan, 2])], ["a", "b", "c"]).count == 2
    assert np.isnan(Sample([as_runs([1, 2])], ["a", "a"]).drawn(5, 0, 0.95)).all()
    assert Sample([], ["a", "b"]).drawn(5, 0, 0.95).shape == (5, 0)


@pytest.mark.parametrize(("resamples", "level"), [(0, 0.95), (5, 0.0), (5, 1.0)])
def test_no_draws_and_no_level_are_refused(resamples, level):
    with pytest.raises(ValueError, match="resamples must be positive"):
        Sample([as_runs([1, 2])], ["a", "b"]).drawn(resamples, 0, level)


def test_seeds_weigh_one_on_average_and_vary_as_new_ones_would():
    seeds = Seeds(0)
    seeds.next(20_000)
    weights = seeds.weights(["a", "b", "a", "a"])
    np.testing.assert_array_equal(weights[:, 1], 1)
    assert weights[:, [0, 2, 3]].sum(axis=1) == pytest.approx(3)
    assert weights[:, 0].var() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(seeds.weights(["a", "a", "a"]), weights[:, [0, 2, 3]])


def test_runs_of_several_columns_draw_one_seed_together():
    runs = Runs(np.array([[1.0, -1.0], [1.0, -1.0]]), ("m", "m"))
    drawn = Sample([runs, runs], ["a", "b"]).drawn(200, 0, 0.95)
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    assert drawn[:, 0].std() > 1
