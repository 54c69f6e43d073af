from dataclasses import MISSING, dataclass

import pytest

from sonoseg.errors import UserError
from sonoseg.learning.settings import fields_of, setting


@dataclass(frozen=True)
class Made:
    name: str = setting(MISSING, "What it is called.", form="NAME")
    share: float = setting(0.5, "A part.", 0, 1)
    many: tuple[str, ...] = setting((), "Words.", allowed=("a", "b"))
    loud: bool = setting(False, "Whether it is loud.")


FIELDS = fields_of(Made)


def test_a_field_tells_its_kind_its_default_and_its_flag() -> None:
    assert [field.kind for field in FIELDS.values()] == [str, float, tuple, bool]
    assert [field.default for field in FIELDS.values()] == [MISSING, 0.5, (), False]
    assert fields_of(Made)["name"].flag == "--name"
    assert (FIELDS["share"].setting.sentence, FIELDS["name"].setting.form) == ("A part.", "NAME")


@pytest.mark.parametrize(
    ("name", "value"), [("share", 0), ("share", 1.0), ("many", ("a", "a")), ("many", ()), ("loud", True), ("name", "")]
)
def test_what_is_allowed(name: str, value: object) -> None:
    FIELDS[name].check(value)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("share", -0.1, "give --share 0"), ("share", 7, "give --share 1"), ("share", "1", "mend --share"),
        ("share", True, "mend --share"), ("many", ("a", "c"), "give --many b"), ("many", ["a"], "mend --many"),
        ("loud", 1, "mend --loud"), ("name", 5, "mend --name"), ("name", "\ud800", "mend --name"),
    ],
)  # fmt: skip
def test_what_is_not(name: str, value: object, hint: str) -> None:
    with pytest.raises(UserError, match=f"^{name} is ") as caught:
        FIELDS[name].check(value)
    assert caught.value.hint == hint
