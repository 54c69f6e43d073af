import numpy as np
import pytest
from pydantic import ValidationError

from sonoseg.images import masks
from sonoseg.viewer.forms import CorrectionForm, DecisionForm, Spacing

STROKE = {"reader": "Dr Bell", "action": "brush", "mask": masks.encode(np.eye(8, dtype=bool))}


def test_what_the_page_sends_is_taken() -> None:
    assert CorrectionForm.model_validate(STROKE).mask.model_dump() == STROKE["mask"]
    assert DecisionForm.model_validate({"reader": "Zoë", "decision": "open"}).comment == ""
    assert Spacing.model_validate({"row": 0.05, "column": 0.07}).row == 0.05


@pytest.mark.parametrize(
    "changed",
    [
        {"reader": ""}, {"reader": "a\nb"}, {"reader": "x" * 81}, {"reader": 1}, {"action": "Brush!"}, {"action": ""},
        {"more": 1}, {"mask": {"size": [8, 8]}}, {"mask": {"size": [8], "counts": [64]}},
        {"mask": {"size": [8, 0], "counts": [64]}}, {"mask": {"size": [8, 8], "counts": [-1]}},
        {"mask": {"size": [8, 8], "counts": []}}, {"mask": {"size": [8, 8.5], "counts": [64]}},
    ],
)  # fmt: skip
def test_a_stroke_of_another_form_is_not(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CorrectionForm.model_validate({**STROKE, **changed})


@pytest.mark.parametrize("size", [0, -1, 5e-324, 0.009, 10, float("inf"), float("nan"), "0.1", None])
def test_a_pixel_is_of_a_size_that_can_be_measured(size: object) -> None:
    with pytest.raises(ValidationError):
        Spacing.model_validate({"row": 0.1, "column": size})


@pytest.mark.parametrize("decision", ["Accepted", "", None, "maybe"])
def test_a_decision_is_one_of_three(decision: object) -> None:
    with pytest.raises(ValidationError):
        DecisionForm.model_validate({"reader": "A", "decision": decision})
