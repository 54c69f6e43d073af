from sonoseg import card
from sonoseg.predictor import NOTICE
from tiny_model import record


def test_a_record_without_scores_has_a_card_that_says_so() -> None:
    written = card.write(record(), "ab" * 32)
    assert written.startswith("# Model card: tiny\n")
    assert "None are recorded." in written
    assert NOTICE in written
    assert "ab" * 32 in written
    assert "None |" not in written


def test_the_same_record_gives_the_same_card() -> None:
    assert card.write(record(), "00") == card.write(record(), "00")
