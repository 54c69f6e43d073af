"""What the review store holds: cases with their frames, predictions, corrections, decisions; each made of a row."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal, Self

Runs = dict[str, Any]
"""A mask as ``images.masks.encode`` writes it."""

Decision = Literal["accepted", "rejected", "open"]


@dataclass(frozen=True)
class Frame:
    """One image of a case. spacing: (row, column) in mm as its file says; seconds, rate: of a clip; picture: a PNG."""

    number: int
    height: int
    width: int
    picture: bytes
    spacing: tuple[float, float] | None = None
    seconds: float | None = None
    rate: float | None = None
    coloured: bool = False

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """Make it of its row."""
        return cls(
            row["number"], row["height"], row["width"], row["picture"], _spacing(row), row["seconds"], row["rate"],
            bool(row["coloured"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One file. spacing: (row, column) in mm as a reader set it, which counts before the file's. series: of DICOM."""

    id: int
    name: str
    sha256: str
    added: str
    frames: int
    spacing: tuple[float, float] | None = None
    series: str = ""

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """Make it of its row."""
        return cls(row["id"], row["name"], row["sha256"], row["added"], row["frames"], _spacing(row), row["series"])


@dataclass(frozen=True)
class Listed:
    """A case in the list. predicted, corrected, accepted, rejected: how many of its frames. lesions: in all of them.

    A frame is corrected where its last mask is none that was predicted.
    """

    case: Case
    predicted: int
    lesions: int
    corrected: int
    accepted: int
    rejected: int

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """Make it of its row."""
        counts = (row[key] for key in ("predicted", "lesions", "corrected", "accepted", "rejected"))
        return cls(Case.of(row), *counts)


@dataclass(frozen=True)
class Stored:
    """A prediction. checksum, model: of what made it. probability: as ``coding.pack`` packs it.

    presence: see ``Prediction``; None also where it was predicted before presence was kept.
    """

    checksum: str
    model: str
    mask: Runs
    lesions: int
    probability: bytes
    made: str = ""
    presence: float | None = None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """Make it of its row; a store of an earlier version that is only read has no presence."""
        return cls(
            row["checksum"], row["model"], json.loads(row["mask"]), row["lesions"], row["probability"], row["made"],
            dict(row).get("presence"),
        )  # fmt: skip


@dataclass(frozen=True)
class Correction:
    """A mask as a reader left it after one stroke. action: what the stroke was."""

    id: int
    number: int
    reader: str
    at: str
    action: str
    mask: Runs

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """Make it of its row."""
        return cls(row["id"], row["number"], row["reader"], row["at"], row["action"], json.loads(row["mask"]))


@dataclass(frozen=True)
class Judgement:
    """What a reader decided about a frame.

    checksum: of the model whose outline was seen; None where it was decided before that was kept.
    """

    number: int
    reader: str
    at: str
    decision: Decision
    comment: str
    checksum: str | None = None

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        """Make it of its row; a store of an earlier version that is only read has no checksum."""
        return cls(row["number"], row["reader"], row["at"], row["decision"], row["comment"], dict(row).get("checksum"))


def text_of(mask: Runs) -> str:
    """Write a mask for its row; the same mask is the same text, so that the store can compare them."""
    return json.dumps(mask, separators=(",", ":"), sort_keys=True)


def _spacing(row: sqlite3.Row) -> tuple[float, float] | None:
    return None if row["spacing_row"] is None else (row["spacing_row"], row["spacing_column"])
