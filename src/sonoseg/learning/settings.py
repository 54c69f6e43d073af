"""What stands beside a field of a configuration: a sentence for the help, and what it may be."""

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_origin

from sonoseg.errors import UserError

_KINDS: dict[type, tuple[Any, str]] = {
    bool: (bool, "true or false"), int: (int, "a whole number"), float: ((float, int), "a number"),
    str: (str, "a text"), tuple: (tuple, "a list of texts"),
}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """Stands in the metadata of a field.

    least, most: of a number. allowed: of a text, where only some are. form: how another one is written, for the help.
    """

    sentence: str
    least: float = -math.inf
    most: float = math.inf
    allowed: tuple[str, ...] = ()
    form: str = ""


@dataclass(frozen=True)
class Field:
    """A field as the command line sees it. kind: int, float, str, bool or tuple. default: MISSING where it has none."""

    name: str
    kind: type
    default: Any
    setting: Setting

    @property
    def flag(self) -> str:
        """How the command line calls it."""
        return f"--{self.name.replace('_', '-')}"

    def check(self, value: Any) -> None:
        """Errors: ``UserError`` for a value of another kind, or that the setting does not allow."""
        kinds, told = _KINDS[self.kind]
        if not isinstance(value, kinds) or isinstance(value, bool) != (self.kind is bool):
            raise UserError(f"{self.name} is {value!r}; {told} is allowed", hint=f"mend {self.flag}")
        if self.kind in (int, float):
            self._check_range(value)
        elif self.kind in (str, tuple):
            self._check_texts((value,) if self.kind is str else value)

    def _check_range(self, value: float) -> None:
        least, most = self.setting.least, self.setting.most
        if not least <= value <= most:  # what is no number is in no range
            end = least if value < least else most
            raise UserError(
                f"{self.name} is {value}; from {least} to {most} is allowed", hint=f"give {self.flag} {end}"
            )

    def _check_texts(self, texts: tuple[Any, ...]) -> None:
        allowed = self.setting.allowed
        for text in texts:
            if not isinstance(text, str) or text != text.encode(errors="replace").decode():
                raise UserError(f"{self.name} is {text!r}; a text in UTF-8 is allowed", hint=f"mend {self.flag}")
            if allowed and text not in allowed:
                nearest = difflib.get_close_matches(text, allowed, n=1, cutoff=0.0)[0]
                raise UserError(
                    f"{self.name} is {text!r}; {', '.join(allowed)} are allowed", hint=f"give {self.flag} {nearest}"
                )


def setting(
    default: Any,
    sentence: str,
    least: float = -math.inf,
    most: float = math.inf,
    allowed: tuple[str, ...] = (),
    form: str = "",
) -> Any:
    """A field of a dataclass with its ``Setting``. default: MISSING for none."""
    return dataclasses.field(default=default, metadata={"setting": Setting(sentence, least, most, allowed, form)})


def fields_of(kind: type) -> Mapping[str, Field]:
    """The fields of a dataclass, by name, all of them made by ``setting``."""
    found = {}
    for field in dataclasses.fields(kind):
        plain: Any = get_origin(field.type) or field.type
        found[field.name] = Field(field.name, plain, field.default, field.metadata["setting"])
    return found
