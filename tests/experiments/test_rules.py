import numpy as np
import pytest

from sonoseg.experiments.rules import CONFIDENCES, LOSS, PRESENCES, SHARES, Rule, Trial, attempt, choose, told
from sonoseg.prediction.lesions import remove_specks

SHAPE = (len(SHARES), len(CONFIDENCES), len(PRESENCES))


def test_scores_under_each_rule_are_those_of_the_mask_that_it_leaves() -> None:
    generator = np.random.default_rng(3)
    probability = generator.random((80, 90)).astype(np.float32)
    drawn, truth = probability > 0.8, generator.random((80, 90)) < 0.2
    trial = attempt(2, drawn, probability, truth, presence=0.3)
    assert trial.fold == 2
    assert trial.dice.shape == trial.drawn.shape == SHAPE
    for row, share in enumerate(SHARES):
        for column, confidence in enumerate(CONFIDENCES):
            kept = remove_specks(drawn, probability, share * drawn.size, confidence)
            for place, least in enumerate(PRESENCES):
                left = kept & (least <= 0.3)
                dice = 2 * (left & truth).sum() / (left.sum() + truth.sum())
                assert trial.dice[row, column, place] == pytest.approx(dice)
                assert trial.drawn[row, column, place] == left.any()


def test_without_presence_every_threshold_of_it_draws() -> None:
    drawn = np.ones((8, 8), bool)
    trial = attempt(0, drawn, drawn.astype(np.float32), drawn)
    assert (trial.dice == 1).all()
    assert (trial.drawn == 1).all()


def test_an_image_without_a_lesion_has_no_dice_and_one_where_nothing_is_drawn_has_0() -> None:
    probability = np.random.default_rng(3).random((20, 30)).astype(np.float32)
    drawn, nothing = probability > 0.5, np.zeros(probability.shape, bool)
    assert np.isnan(attempt(0, drawn, probability, nothing, 0.9).dice).all()
    assert not attempt(0, nothing, probability, drawn, 0.9).dice.any()


def test_the_rule_that_draws_on_the_fewest_normals_at_little_cost_is_chosen() -> None:
    dice, drawn = np.full(SHAPE, 0.8), np.ones(SHAPE)
    drawn[2, 3, 1], dice[2, 3, 1] = 0, 0.8 - LOSS / 2
    drawn[4, 5, 2], dice[4, 5, 2] = 0, 0.8 - 2 * LOSS
    trials = [Trial(0, dice, np.ones(SHAPE)), Trial(0, np.full(SHAPE, np.nan), drawn)]
    assert choose(trials) == Rule(
        smallest_lesion=SHARES[2], least_confidence=CONFIDENCES[3], least_presence=PRESENCES[1]
    )
    dice[6, 6, 3] = 0.801
    assert told(trials[:1])[0]["drawn"] is None
    assert choose(trials[:1]) == Rule(
        smallest_lesion=SHARES[6], least_confidence=CONFIDENCES[6], least_presence=PRESENCES[3]
    )


def test_a_table_has_a_row_for_every_rule() -> None:
    dice = np.arange(np.prod(SHAPE)).reshape(SHAPE) / 1000
    rows = told([Trial(0, dice, np.zeros(SHAPE)), Trial(0, np.full(SHAPE, np.nan), dice)])
    assert len(rows) == dice.size
    assert [row["dice"] for row in rows] == [row["drawn"] for row in rows] == dice.ravel().tolist()
    assert rows[1] == {
        "smallest_lesion": SHARES[0],
        "least_confidence": CONFIDENCES[0],
        "least_presence": PRESENCES[1],
        "dice": 0.001,
        "drawn": 0.001,
    }
