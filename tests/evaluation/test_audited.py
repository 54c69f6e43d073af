import pytest

from odd_set import odd_set
from sonoseg.data.audit import Audit, Comparison, Look
from sonoseg.evaluation.audited import sum_up


def look(name: str, label: str, marked: bool = False) -> Look:
    return Look(name, label, (20, 30), 1, 1, 0, 0, touches_border=False, share=0.1, coloured=False, marked=marked)


LOOKS = (
    look("a", "benign", marked=True),
    look("b", "benign"),
    look("c", "malignant", marked=True),
    look("d", "normal"),
)


def audit(*comparisons: Comparison) -> Audit:
    return Audit(odd_set(), LOOKS, {"a": "a", "b": "a", "c": "c", "d": "d"}, comparisons, ())


def test_two_outlines_that_could_be_compared_count_and_no_others() -> None:
    compared = (
        Comparison("a", "b", 0.9, False),
        Comparison("c", "a", 0.5, False),
        Comparison("a", "d", 0.0, True),
        Comparison("b", "c", None, False),
    )
    found = sum_up(audit(*compared)).agreement
    assert found is not None
    assert found["mean"] == pytest.approx(0.7)
    assert (found["n"], found["groups"]) == (2, 2)
    assert found["quartiles"] == pytest.approx([0.6, 0.7, 0.8])
    assert sum_up(audit()).agreement is None


def test_marks_are_told_of_each_label_by_groups() -> None:
    found = sum_up(audit()).marked
    assert {label: (each["mean"], each["n"], each["groups"]) for label, each in found.items()} == {
        "benign": (0.5, 2, 1),
        "malignant": (1, 1, 1),
        "normal": (0, 1, 1),
    }
