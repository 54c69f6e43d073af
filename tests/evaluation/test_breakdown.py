from math import isnan, nan

import numpy as np
import pytest

from rows import row as case
from sonoseg.evaluation import breakdown
from sonoseg.evaluation.breakdown import lesion_scores


def test_scores_have_a_row_for_each_lesion_image_and_a_column_for_each_model():
    rows = [
        case("x", dice=0.2, lesion=100),
        case("normal", lesion=0),
        case("y", "b", dice=0.9),
        case("x", "b", dice=0.4),
    ]
    scores = lesion_scores(rows)
    assert scores.models == ("a", "b")
    assert scores.images.tolist() == ["x", "y"]
    assert scores.share.tolist() == [0.1, 0.05]
    np.testing.assert_array_equal(scores.dice, [[0.2, 0.4], [nan, 0.9]])
    assert np.isnan(scores.confidence).all()


def test_seeds_are_averaged_for_each_image():
    rows = [case("x", seed=0, dice=0.2), case("x", seed=1, dice=0.6), case("y", seed=0, dice=0.9)]
    assert lesion_scores(rows).dice.tolist() == [[0.4], [0.9]]


def test_seeds_are_compared_on_the_images_that_all_of_them_saw():
    rows = [case("x", seed=0, dice=0.2), case("y", seed=0, dice=0.9), case("x", seed=1, dice=0.6)]
    assert breakdown.by_seed(rows) == {"a": {0: 0.2, 1: 0.6}}


def test_the_spread_of_seeds_by_hand():
    spread = breakdown.seed_spread({0: 0.5, 1: 0.7, 2: 0.6})
    assert (spread.deviation, spread.range) == pytest.approx((0.1, 0.2))
    assert isnan(breakdown.seed_spread({0: 0.5}).range)
    shifted = breakdown.seed_spread({4: 0.2, 5: 0.4, 6: 0.3})
    assert shifted.deviation == pytest.approx(spread.deviation)


def test_no_lesion_no_scores():
    scores = lesion_scores([case("n", lesion=0)])
    assert scores.dice.shape == (0, 1)
    assert breakdown.by_size(scores) == []
    assert breakdown.strata(scores, breakdown.by_label(scores)) == []


def test_terciles_part_the_images_by_size():
    parts = breakdown.by_size(lesion_scores([case(str(i), lesion=10 * i) for i in range(1, 10)]))
    assert [part.inside.sum() for part in parts] == [3, 3, 3]
    assert np.flatnonzero(parts[2].inside).tolist() == [6, 7, 8]
    assert [part.name for part in parts] == ["small", "medium", "large"]
    assert (parts[1].low, parts[1].high) == pytest.approx((0.0367, 0.0633), abs=1e-4)
    assert (parts[0].low, parts[2].high) == (None, None)


def test_parts_by_label_copies_fold_and_marks():
    scores = lesion_scores(
        [
            case("a", group="g", label="malignant", fold=1, marks=1, dice=0.4),
            case("b", group="g", label="malignant", fold=1, marks=0, dice=0.6),
            case("c", dice=0.9),
        ]
    )
    malignant = breakdown.strata(scores, breakdown.by_label(scores))[1]
    assert (malignant.part.name, malignant.images, malignant.groups) == ("malignant", 2, 1)
    assert malignant.dice[0].mean == 0.5
    assert isnan(malignant.dice[0].low)
    assert [part.inside.tolist() for part in breakdown.by_copies(scores)] == [
        [False, False, True],
        [True, True, False],
    ]
    assert [part.name for part in breakdown.by_fold(scores)] == ["fold 0", "fold 1"]
    assert [part.images for part in breakdown.strata(scores, breakdown.by_marks(scores))] == [1, 1]


def test_reached_counts_images():
    dice = np.array([0.9, 0.8, 0.3, 0, nan])
    assert breakdown.reached(dice, np.array([0.9, 0.7, 0.0])).tolist() == [0.25, 0.5, 1]
    assert np.isnan(breakdown.reached(dice[4:], np.array([0.5]))).all()


def test_pick_takes_best_middle_and_worst_over_the_models():
    rows = [case(f"{i:02}", model, dice=i / 20) for i in range(20) for model in "ab"]
    rows += [
        case("quiet", lesion=0),
        case("loud", lesion=0, fp=90, tn=910, drawn_pixels=90),
        case("low", lesion=0, fp=9, tn=991, drawn_pixels=9),
    ]
    assert breakdown.pick(rows, each=2) == {
        "best": ["19", "18"],
        "middle": ["10", "09"],
        "worst": ["00", "01"],
        "false alarms": ["loud", "low"],
    }


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_pick_shows_no_image_twice(n):
    bands = breakdown.pick([case(str(i), dice=i / 5) for i in range(n)])
    names = [name for images in bands.values() for name in images]
    assert len(names) == len(set(names)) == min(n, 3)


def test_moving_median_follows_the_middle():
    x = np.random.default_rng(1).permutation(200).astype(float)
    y = 2 * x
    y[::50] = 1e6
    across, middle = breakdown.moving_median(x, y)
    assert (np.diff(across) > 0).all()
    np.testing.assert_allclose(middle, 2 * across, atol=5)
    assert len(breakdown.moving_median(x[:20], y[:20])[0]) == 0


def test_risk_coverage_by_hand():
    coverage, mean = breakdown.risk_coverage(np.array([0.2, 1.0, 0.6, nan]), np.array([0.1, 0.9, 0.5, 0.8]))
    assert coverage.tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert mean.tolist() == pytest.approx([1.0, 0.8, 0.6])


def test_risk_coverage_of_equal_confidence_does_not_depend_on_order():
    dice = np.array([0.0, 1.0, 0.5, 0.7])
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        _, mean = breakdown.risk_coverage(dice[order], np.full(4, 0.5))
        assert mean.tolist() == pytest.approx([0.55] * 4)
    assert len(breakdown.risk_coverage(np.array([]), np.array([]))[1]) == 0


def test_the_least_certain_are_set_aside_by_hand():
    dice, confidence = np.array([0.9, 0.1, 0.8, 0.7, 0.6, nan]), np.array([0.9, 0.2, 0.8, 0.7, 0.5, 0.1])
    assert breakdown.kept_dice(dice, confidence, 0.8) == pytest.approx(0.75)
    assert breakdown.kept_dice(dice, confidence, 1) == pytest.approx(0.62)
    assert isnan(breakdown.kept_dice(dice, np.full(6, nan), 0.8))


def test_setting_aside_by_dice_itself_is_the_most_that_confidence_can_do():
    generator = np.random.default_rng(4)
    dice, guess = generator.random(101), generator.random(101)
    for share in (0.3, 0.5, 0.8):
        best, worst = (breakdown.kept_dice(dice, sign * dice, share) for sign in (1, -1))
        assert worst <= breakdown.kept_dice(dice, guess, share) <= best
