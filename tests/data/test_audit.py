import numpy as np
import pytest

from odd_set import MADE, odd_set
from sonoseg.data.audit import COLUMNS, crosses, measure, rows
from sonoseg.errors import UserError


@pytest.fixture(scope="module")
def audit():
    return measure(odd_set(), keep=lambda image, mask: (image.shape, mask.shape))


def test_each_image_is_described_by_itself(audit) -> None:
    looks = {look.name: look for look in audit.looks}
    assert list(looks) == [name for name in MADE if name != "broken"]
    odd, full = looks["odd"], looks["full"]
    assert (odd.lesions, odd.specks, odd.holes, odd.masks) == (2, 1, 1, 2)
    assert [name for name, look in looks.items() if look.lesions + look.specks + look.holes > 1] == ["odd"]
    assert [name for name, look in looks.items() if look.empty] == ["normal", "missing"]
    assert [name for name, look in looks.items() if look.full] == ["full"]
    assert [name for name, look in looks.items() if look.touches_border] == ["normal too", "full"]
    assert [name for name, look in looks.items() if look.marked] == ["full"]
    assert [name for name, look in looks.items() if look.coloured] == ["full"]
    assert full.share == 1
    assert looks["plain"].share == pytest.approx(np.pi * 30**2 / (240 * 300), rel=0.01)
    assert all(look.kept == (look.shape, look.shape) for look in audit.looks)


def test_copies_are_grouped_and_their_masks_compared(audit) -> None:
    groups = audit.copies()
    assert [[look.name for look in looks] for looks in groups.values()] == [["copy", "plain"]]
    assert crosses(groups["copy"])
    (compared,) = audit.comparisons
    assert (compared.first, compared.second, compared.one_empty) == ("copy", "plain", False)
    assert compared.dice == pytest.approx(1, abs=0.03)
    assert audit.outlined_twice() == [compared]
    assert audit.dice() == {"copy": [compared.dice], "plain": [compared.dice]}


def test_an_unreadable_image_is_listed_and_the_others_go_on(audit) -> None:
    (failure,) = audit.failures
    assert (failure.name, failure.label, failure.message) == ("broken", "benign", "broken.png cannot be decoded")
    assert "broken" not in audit.groups


def test_rows_are_those_of_the_set_in_its_order(audit) -> None:
    table = {row["image"]: row for row in rows(audit)}
    assert list(table) == list(MADE)
    assert all(set(row) == set(COLUMNS) for row in table.values())
    assert [name for name, row in table.items() if row["crosses_classes"]] == ["plain", "copy"]
    assert (table["plain"]["group"], table["plain"]["copies"]) == ("copy", 1)
    assert table["plain"]["agreement"] == round(audit.comparisons[0].dice, 4)
    assert table["odd"]["agreement"] == ""
    assert table["normal too"]["masks"] == ""
    assert [name for name, row in table.items() if row["problem"]] == ["broken"]
    assert {key for key, value in table["broken"].items() if value != ""} == {
        "image",
        "label",
        "own_group",
        "own_fold",
        "problem",
    }


def test_progress_reaches_the_end_of_every_stage() -> None:
    steps = []
    measure(odd_set(("plain", "copy", "normal")), progress=lambda *step: steps.append(step))
    last = {stage: (done, total) for stage, done, total in steps}
    assert last == {"reading images": (3, 3), "looking for copies": (3, 3), "comparing masks of copies": (1, 1)}


def test_a_set_of_which_nothing_can_be_read_is_refused() -> None:
    with pytest.raises(UserError, match=r"no image of odd: can be read; the first: broken\.png"):
        measure(odd_set(("broken",)))


def test_in_a_large_group_each_is_compared_with_the_next_alone(monkeypatch) -> None:
    monkeypatch.setattr("sonoseg.data.audit.ALL_PAIRS", 1)
    found = measure(odd_set(("plain", "copy", "normal")))
    assert [(each.first, each.second) for each in found.comparisons] == [("copy", "plain")]
