from math import isnan, nan

import numpy as np
import pytest

from sonoseg.evaluation.intervals import (
    Interval,
    bootstrap_apart,
    bootstrap_contrast,
    bootstrap_difference,
    bootstrap_mean,
    bootstrap_median,
    bootstrap_simultaneous,
    bootstrap_sums,
    share,
)
from sonoseg.evaluation.resampling import mean_of_runs

VALUES = np.random.default_rng(0).random(60)
EACH = np.arange(60)


def width(interval):
    return interval.high - interval.low


def test_mean_and_sizes():
    interval = bootstrap_mean([1, 2, 3, 6], ["a", "a", "b", "c"])
    assert (interval.mean, interval.n, interval.groups) == (3, 4, 3)
    assert 1.5 <= interval.low < 3 < interval.high <= 6


def test_two_groups_by_hand():
    # A draw of two groups is aa, ab, ba or bb: means 0, 0.75, 0.75 and 1, as b has three images.
    assert bootstrap_mean([0, 1, 1, 1], ["a", "b", "b", "b"]) == Interval(0.75, 0, 1, 4, 2)
    assert bootstrap_mean([0, 1, 1, 1], ["a", "b", "b", "b"], level=0.4).low == 0.75


def test_agrees_with_the_normal_theory_of_single_images():
    values = np.random.default_rng(1).normal(0.7, 0.2, 400)
    interval = bootstrap_mean(values, np.arange(400))
    assert width(interval) == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_interval_covers_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        groups = np.repeat(np.arange(40), 3)
        values = generator.normal(size=40)[groups] + 0.3 * generator.normal(size=120)
        interval = bootstrap_mean(values, groups, resamples=200)
        hits += interval.low <= 0 <= interval.high
    assert 0.88 <= hits / 200 <= 0.99


def test_copies_do_not_narrow_the_interval():
    values, groups = np.tile(VALUES, 4), np.tile(EACH, 4)
    by_group, by_image = bootstrap_mean(values, groups), bootstrap_mean(values, np.arange(240))
    assert width(by_group) == pytest.approx(width(bootstrap_mean(VALUES, EACH)))
    assert width(by_group) > 1.7 * width(by_image)


def test_same_seed_same_interval_in_any_order():
    order = np.random.default_rng(3).permutation(60)
    first, second = bootstrap_mean(VALUES, EACH), bootstrap_mean(VALUES[order], EACH[order])
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-12)
    assert first == bootstrap_mean(VALUES, EACH)
    assert first != bootstrap_mean(VALUES, EACH, seed=1)


def test_higher_level_is_wider():
    assert width(bootstrap_mean(VALUES, EACH, level=0.99)) > width(bootstrap_mean(VALUES, EACH, level=0.8))


def test_undefined_values_are_left_out():
    assert bootstrap_mean([1, nan, 3, nan], ["a", "a", "b", "c"]) == bootstrap_mean([1, 3], ["a", "b"])


def test_too_little_for_an_interval():
    one = bootstrap_mean([1, 3], ["a", "a"])
    assert (one.mean, one.n, one.groups) == (2, 2, 1)
    assert isnan(one.low)
    assert isnan(one.high)
    for none in (bootstrap_mean([], []), bootstrap_mean([nan], ["a"])):
        assert isnan(none.mean)
        assert (none.n, none.groups) == (0, 0)


def test_difference_is_paired():
    noise = np.random.default_rng(4).normal(0, 0.01, 60)
    interval = bootstrap_difference(VALUES + 0.02 + noise, VALUES, EACH)
    assert interval.low > 0.01
    assert interval.mean == pytest.approx(0.02 + noise.mean())
    assert width(interval) < 0.1 * width(bootstrap_mean(VALUES, EACH))


def test_difference_needs_both():
    interval = bootstrap_difference([1, nan, 3, 4], [0, 1, nan, 2], [1, 2, 3, 4])
    assert (interval.mean, interval.n) == (1.5, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_mean([1, 2], ["a"]), "one length"),
        (lambda: bootstrap_mean([[1, 2]], [["a", "b"]]), "one length"),
        (lambda: bootstrap_mean([1, 2], [1, 2], resamples=0), "positive"),
        (lambda: bootstrap_mean([1, 2], [1, 2], level=1.0), "level"),
        (lambda: bootstrap_difference([1, 2], [1], [1, 2]), "paired"),
    ],
)
def test_wrong_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_column_is_a_plain_interval():
    (together,), alone = bootstrap_simultaneous([VALUES], EACH), bootstrap_mean(VALUES, EACH)
    assert (together.mean, together.n, together.groups) == (pytest.approx(alone.mean), 60, 60)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=0.003)


def test_many_columns_hold_at_once():
    generator = np.random.default_rng(5)
    hits = 0
    for _ in range(100):
        values = generator.normal(size=(60, 6)) + generator.normal(size=(60, 1))
        found = bootstrap_simultaneous(list(values.T), EACH, resamples=400)
        hits += all(each.low <= 0 <= each.high for each in found)
    assert hits / 100 >= 0.86


def test_more_comparisons_are_wider_and_equal_ones_are_not():
    values = np.random.default_rng(6).normal(size=(60, 6))
    alone = bootstrap_simultaneous([values[:, 0]], EACH)[0]
    assert 1.2 < width(bootstrap_simultaneous(list(values.T), EACH)[0]) / width(alone) < 1.6
    equal = bootstrap_simultaneous([values[:, 0]] * 6, EACH)[3]
    assert (equal.mean, equal.low, equal.high) == pytest.approx((alone.mean, alone.low, alone.high))


def test_simultaneous_leaves_undefined_values_out_of_their_column():
    first, second, third = bootstrap_simultaneous([[1, 3, 8], [nan, nan, 5], [nan, 2, nan]], ["a", "b", "c"])
    assert (first.mean, first.n, second.mean, second.n, third.mean) == (4, 3, 5, 1, 2)
    assert first.low < 4 < first.high
    assert isnan(second.low)
    assert [isnan(each.mean) for each in bootstrap_simultaneous([[], []], [])] == [True, True]
    assert bootstrap_simultaneous([], ["a", "b", "c"]) == []


def test_a_difference_of_nothing_has_no_width():
    for each in bootstrap_simultaneous([np.zeros(60), np.zeros(60)], EACH):
        assert (each.mean, each.low, each.high) == (0, 0, 0)


@pytest.mark.parametrize("level", [0, 1])
def test_simultaneous_refuses_wrong_input(level):
    with pytest.raises(ValueError, match="level"):
        bootstrap_simultaneous(np.zeros((2, 2)), [1, 2], level=level)
    with pytest.raises(ValueError, match="one length"):
        bootstrap_simultaneous([[1, 2, 3]], [1, 2])


def test_two_samples_apart_by_hand():
    # Means of the draws are 0, 0.5, 0.5 and 1 minus 2 always.
    assert bootstrap_apart([0, 1], ["a", "b"], [2, 2], ["a", "b"]) == Interval(-1.5, -2, -1, 4, 4)
    one_group = bootstrap_apart([0, 1], ["a", "a"], [2, 2], ["a", "b"])
    assert one_group.mean == -1.5
    assert isnan(one_group.low)


def test_samples_apart_vary_as_the_root_of_both_squares():
    first, second = VALUES, VALUES * 2 + 1
    apart = bootstrap_apart(first, EACH, second, EACH)
    expected = np.hypot(width(bootstrap_mean(first, EACH)), width(bootstrap_mean(second, EACH)))
    assert width(apart) == pytest.approx(expected, rel=0.1)
    other = bootstrap_apart(second, EACH, first, EACH)
    assert (other.mean, other.n) == (-apart.mean, 120)


def test_contrast_by_hand():
    # Each group has 3 in the part and 1 beside it, so that every draw of two of them has the contrast 3 - 1.
    assert bootstrap_contrast([3, 1, 3, 1], [True, False] * 2, ["a", "a", "b", "b"]) == Interval(2, 2, 2, 4, 2)
    one = bootstrap_contrast([3, 1, 5], [True, False, False], ["a", "b", "c"])
    assert one.mean == 0
    assert isnan(one.low)  # a part of one group does not tell how it varies
    assert isnan(bootstrap_contrast([3, 1], [True, True], ["a", "b"]).mean)
    assert isnan(bootstrap_contrast([3, 1], [True, False], ["a", "a"]).low)
    with pytest.raises(ValueError, match="one length"):
        bootstrap_contrast([3, 1], [True], ["a", "b"])


def test_contrast_of_parts_that_share_no_group_is_that_of_samples_apart():
    part = EACH < 30
    together = bootstrap_contrast(VALUES, part, EACH)
    apart = bootstrap_apart(VALUES[part], EACH[part], VALUES[~part], EACH[~part])
    assert together.mean == pytest.approx(apart.mean)
    assert width(together) == pytest.approx(width(apart), rel=0.15)


def test_what_a_group_adds_to_both_parts_leaves_the_contrast_alone():
    groups, part = EACH // 2, EACH % 2 == 0
    shift = np.random.default_rng(3).normal(0, 5, 30)[groups]
    plain, shifted = (bootstrap_contrast(values, part, groups) for values in (VALUES, VALUES + shift))
    assert (shifted.mean, shifted.low, shifted.high) == pytest.approx((plain.mean, plain.low, plain.high))
    holes = np.where(EACH == 5, nan, VALUES)
    assert bootstrap_contrast(holes, part, groups).n == 59


def test_median_by_hand():
    # A draw of two groups is aa, ab, ba or bb: medians 0, 1, 1 and 1, as b has three images.
    assert bootstrap_median([0, 1, 1, 1], ["a", "b", "b", "b"]) == Interval(1, 0, 1, 4, 2)
    assert isnan(bootstrap_median([1, 2], ["a", "a"]).low)
    assert isnan(bootstrap_median([], []).mean)


def test_median_follows_a_rising_change_of_scale_and_leaves_outliers_alone():
    plain, bent = bootstrap_median(VALUES, EACH), bootstrap_median(VALUES * 3 + 1, EACH)
    assert bent.low == pytest.approx(plain.low * 3 + 1)
    far = np.where(VALUES.max() == VALUES, 1e6, VALUES)
    assert bootstrap_median(far, EACH).mean == plain.mean


def by_seed(luck, images=60, noise=0.01, folds=1):
    """What the seeds of a recipe gave on 60 images, each seed off by its luck."""
    generator = np.random.default_rng(7)
    values = VALUES[:images, None] + np.repeat(luck, folds)[None] + generator.normal(0, noise, (images, len(luck)))
    return mean_of_runs(values, [("m", fold) for _ in luck for fold in range(folds)])


def test_one_seed_and_equal_seeds_give_the_plain_interval():
    plain = bootstrap_mean(VALUES, EACH)
    assert bootstrap_mean(mean_of_runs(VALUES[:, None], ["m"]), EACH) == plain
    same = bootstrap_mean(mean_of_runs(np.repeat(VALUES[:, None], 3, axis=1), ["m"] * 3), EACH)
    assert (same.low, same.high) == pytest.approx((plain.low, plain.high))


def test_runs_of_several_recipes_are_not_seeds():
    values = np.stack([VALUES - 0.3, VALUES + 0.3], axis=1)
    apart = bootstrap_mean(mean_of_runs(values, [("m", 0), ("m", 1)]), EACH)
    plain = bootstrap_mean(VALUES, EACH)
    assert (apart.mean, apart.low, apart.high) == pytest.approx((plain.mean, plain.low, plain.high))


def test_the_share_of_the_seed_adds_as_a_square():
    luck = np.array([-0.2, 0.0, 0.2])
    found, plain = bootstrap_mean(by_seed(luck), EACH), bootstrap_mean(VALUES, EACH)
    deviation = luck.std(ddof=1) / 3**0.5
    assert found.high - found.low == pytest.approx(np.hypot(width(plain), 2 * 1.96 * deviation), rel=0.15)
    assert found.mean == pytest.approx(by_seed(luck).values.mean())


def test_the_interval_with_seeds_covers_what_new_seeds_and_images_would_give():
    generator = np.random.default_rng(3)
    hits = plain = 0
    for _ in range(150):
        values = generator.normal(0, 1, (60, 1)) + generator.normal(0, 0.2, 4) + generator.normal(0, 0.2, (60, 4))
        found = bootstrap_mean(mean_of_runs(values, ["m"] * 4), EACH, resamples=300)
        without = bootstrap_mean(values.mean(axis=1), EACH, resamples=300)
        hits += found.low <= 0 <= found.high
        plain += without.low <= 0 <= without.high
    assert hits / 150 >= 0.89
    assert hits > plain


def test_seeds_of_a_fold_are_drawn_for_its_own_images():
    # Fold 0 has the first half, fold 1 the other; the luck of one fold moves only its half.
    values = np.full((60, 4), nan)
    values[:30, :2], values[30:, 2:] = VALUES[:30, None] + [0.3, -0.3], VALUES[30:, None]
    recipes = [("m", 0), ("m", 0), ("m", 1), ("m", 1)]
    found = bootstrap_mean(mean_of_runs(values, recipes), EACH)
    whole = bootstrap_mean(by_seed([0.3, -0.3], noise=0), EACH)
    assert width(bootstrap_mean(VALUES, EACH)) < width(found) < width(whole)
    assert found.mean == pytest.approx(VALUES.mean())


def test_differences_of_runs_draw_the_seeds_of_both():
    first, second = by_seed([0.1, -0.1]), by_seed([0.0, 0.0])
    other = mean_of_runs(second.parts * 2, ["n", "n"])
    found = bootstrap_difference(first, other, EACH)
    assert found.mean == pytest.approx((first.values - other.values).mean())
    assert width(found) > 10 * width(bootstrap_difference(first.values, other.values, EACH))
    (together,) = bootstrap_simultaneous([first - other], EACH)
    assert (together.low, together.high) == pytest.approx((found.low, found.high), abs=0.02)


def test_a_share_has_an_interval_where_all_are_alike():
    groups = np.repeat(np.arange(13), 2)
    for value in (0.0, 1.0):
        found = share(np.full(26, value), groups)
        assert found.mean == value
        assert 0.15 < found.high - found.low < 0.35
        assert 0 <= found.low <= value <= found.high <= 1
    # Pairs that are always alike say no more than one of each.
    one = share(np.ones(13), np.arange(13))
    assert one.low == pytest.approx(share(np.ones(26), groups).low)


def test_a_share_of_single_images_is_wilsons():
    from scipy.stats import binomtest

    values = np.r_[np.ones(160), np.zeros(40)]
    found, known = share(values, np.arange(200)), binomtest(160, 200).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.006)


def test_a_share_covers_the_truth_at_small_counts_where_the_percentiles_do_not():
    generator = np.random.default_rng(5)
    groups = np.repeat(np.arange(18), [*[1] * 14, 2, 2, 3, 5])
    hits = percentile = 0
    for _ in range(300):
        values = (generator.random(26) < generator.beta(9, 1, 18)[groups]).astype(float)
        found, drawn = (each(values, groups, resamples=200) for each in (share, bootstrap_mean))
        hits += found.low <= 0.9 <= found.high
        percentile += drawn.low <= 0.9 <= drawn.high
    assert hits / 300 >= 0.93
    assert percentile / 300 < 0.91


def test_a_share_turned_over_turns_its_interval_over():
    values, groups = (VALUES > 0.3).astype(float), EACH // 2
    one, other = share(values, groups), share(1 - values, groups)
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low))
    assert isnan(share([1, 0], ["a", "a"]).low)


def test_a_figure_of_sums_that_is_a_mean_is_that_mean():
    rows = np.stack([VALUES, np.ones(60)], axis=1)
    found = bootstrap_sums(rows, EACH, lambda sums: sums[:, 0] / sums[:, 1])
    plain = bootstrap_mean(VALUES, EACH)
    assert (found.mean, found.low, found.high) == pytest.approx((plain.mean, plain.low, plain.high))
    assert (found.n, found.groups) == (60, 60)
