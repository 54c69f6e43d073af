import numpy as np
import pytest

from rows import row as case
from sonoseg.evaluation.breakdown import lesion_scores
from sonoseg.evaluation.paired import differences


def test_differences_are_adjusted_for_their_number():
    generator = np.random.default_rng(0)
    hard = generator.uniform(0.3, 0.7, 60)
    shift = {"a": 0.0, "b": 0.0, "c": 0.2}
    rows = [
        case(str(i), model, dice=hard[i] + more + generator.normal(0, 0.05))
        for model, more in shift.items()
        for i in range(60)
    ]
    found = {(each.first, each.second): each for each in differences(lesion_scores(rows))}
    assert [found[pair].ahead for pair in (("a", "b"), ("a", "c"), ("b", "c"))] == [None, "c", "c"]
    for each in found.values():
        assert each.together.low < each.alone.low < each.alone.mean < each.alone.high < each.together.high
    assert differences(lesion_scores(rows[:60])) == []


def shifted(shift, noise, seeds=1):
    """Models a and b on 60 images, b better by ``shift``; each seed moves a whole model by up to ``noise``."""
    generator = np.random.default_rng(0)
    hard = generator.uniform(0.3, 0.7, 60)
    return [
        case(str(i), model, dice=hard[i] + more + luck + generator.normal(0, 0.01), seed=seed)
        for model, more in (("a", 0.0), ("b", shift))
        for seed, luck in enumerate(noise * np.linspace(-1, 1, seeds) if seeds > 1 else [0.0])
        for i in range(60)
    ]


def test_models_are_alike_where_the_whole_interval_lies_within_the_margin():
    (same,) = differences(lesion_scores(shifted(0.0, 0)))
    assert same.alike
    assert same.ahead is None
    (little,) = differences(lesion_scores(shifted(0.008, 0)))
    assert (little.alike, little.ahead) == (True, "b")
    (much,) = differences(lesion_scores(shifted(0.05, 0)))
    assert (much.alike, much.ahead) == (False, "b")


def test_seeds_that_differ_widen_the_difference_and_may_take_the_lead_away():
    for seeds in (2, 3):
        (quiet,) = differences(lesion_scores(shifted(0.05, 0.0, seeds)))
        (loud,) = differences(lesion_scores(shifted(0.05, 0.1, seeds)))
        assert (quiet.ahead, loud.ahead) == ("b", None)
        assert loud.alone.mean == pytest.approx(quiet.alone.mean)
        assert loud.alone.high - loud.alone.low > 4 * (quiet.alone.high - quiet.alone.low)
