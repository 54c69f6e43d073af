from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sonoseg.data.sets.sources import open_set
from sonoseg.errors import UserError
from sonoseg.learning import provenance
from sonoseg.learning.config import Config, told_settings

CONFIG = Config("phantom:20", fold=1, also=("folder:x",), also_fold=2)
HOME = open_set("phantom:20")
AWAY = replace(HOME, name="away", citation="there", licence="other")


def told(name: str, digests: list[str], **more: Any) -> dict[str, Any]:
    seen = {"set": name, "citation": "c", "licence": "l", "fold": -1, "also": [], "digests": digests}
    return {"trained_on": seen | more, "settings": {"size": 32}, "encoder_weights": {"name": "w"}}


def test_what_it_was_begun_with_and_its_teachers_saw_it_has_seen() -> None:
    teachers = [told("phantom", ["c"], fold=1, citation=HOME.citation, licence=HOME.licence), told("more", ["d"])]
    made = provenance.record(
        CONFIG,
        [HOME, AWAY],
        ["b", "a"],
        ["w", "d"],
        told("first", ["a", "e", "v"], watched=["v", "a"]),
        [*teachers, *teachers],
    )
    seen = made["trained_on"]
    assert (seen["set"], seen["fold"], seen["images"]) == ("phantom", 1, 7)
    assert seen["digests"] == ["a", "b", "c", "d", "e", "v", "w"]
    assert seen["watched"] == ["v", "w"]
    assert [each["set"] for each in seen["also"]] == [
        "away",
        "first",
        "more",
    ]  # its own fold is none
    assert seen["also"][0] == {"set": "away", "citation": "there", "licence": "other", "fold": 2}
    assert made["settings"] == told_settings(CONFIG) | {"pretrained": {"sets": "first", "size": 32}}
    assert made["encoder_weights"] == {"name": "w"}


def test_of_nothing_before_nothing_is_told() -> None:
    made = provenance.record(replace(CONFIG, fold=-1, also=()), [HOME], ["a"], [], {}, [])
    assert (made["trained_on"]["fold"], made["trained_on"]["also"]) == (-1, [])
    assert made["settings"]["pretrained"] == ""
    assert "watched" not in made["trained_on"]
    assert provenance.of_pretrained(CONFIG, HOME, [AWAY]) == {}


def test_settings_name_no_place_of_this_machine(tmp_path: Path) -> None:
    config = replace(CONFIG, teachers=(str(tmp_path / "a-{fold}"), str(tmp_path / "b")), pretrained=str(tmp_path / "c"))
    found = told_settings(config)
    assert (found["teachers"], found["pretrained"], found["also"]) == ("a-{fold}, b", "c", "folder")
    assert str(tmp_path) not in str(found)
    assert "data" not in found


def test_what_it_was_only_watched_on_a_network_has_not_learnt_from() -> None:
    network = told("phantom", ["a", "b"], watched=["b"])
    provenance.need_unseen({"runs/a": network}, ["b", "c"])
    with pytest.raises(UserError, match="runs/a was trained on 1 of the 2 images"):
        provenance.need_unseen({"runs/a": network}, ["a", "b"])
