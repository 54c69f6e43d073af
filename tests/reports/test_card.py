from sonoseg.prediction.predictor import NOTICE
from sonoseg.reports import card
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


def test_a_pretrained_networks_recipe_stands_beside_the_last_one() -> None:
    before = {"size": 64, "epochs": 7, "pretrained": ""}
    provenance = {"settings": {"size": 32, "epochs": 3, "pretrained": before}}
    written = card.write(record() | {"provenance": provenance}, "00")
    assert "Recipe: size 32, epochs 3.\n" in written
    assert "began with a network of the recipe: size 64, epochs 7.\n" in written


def test_the_card_of_somebody_elses_model_speaks_of_their_data() -> None:
    theirs = card.write(record(trained_on={"set": "folder", "citation": "who", "licence": "what"}), "00")
    assert "busi" not in theirs.lower()
    assert "Trained on single images of folder;" in theirs


def test_the_sets_of_a_pretrained_network_are_named() -> None:
    provenance = {"settings": {"size": 32, "pretrained": {"sets": "a, b", "size": 64, "pretrained": ""}}}
    written = card.write(record() | {"provenance": provenance}, "00")
    assert "began with a network trained on a, b, of the recipe: size 64.\n" in written


def test_limits_speak_of_what_was_measured_and_of_no_set_that_the_record_does_not_name() -> None:
    assert "BUSI" not in card.write(record(), "00")
    assert "burnt into" not in card.write(record(), "00")
