import sqlite3

import numpy as np

from sonoseg.images import masks
from sonoseg.viewer.records import Case, Frame, Listed, Stored, text_of

CASE = {
    "id": 7, "name": "scan.png", "sha256": "a" * 64, "added": "2026-01-01", "frames": 2, "spacing_row": 0.1,
    "spacing_column": 0.2, "series": "1.2.3",
}  # fmt: skip


def row(**values: object) -> sqlite3.Row:
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    found: sqlite3.Row = db.execute(
        "SELECT " + ", ".join(f"? AS {name}" for name in values), [*values.values()]
    ).fetchone()
    db.close()
    return found


def test_a_row_makes_what_it_holds() -> None:
    case = Case(7, "scan.png", "a" * 64, "2026-01-01", 2, (0.1, 0.2), "1.2.3")
    assert Case.of(row(**CASE)) == case
    counts = {"predicted": 1, "lesions": 2, "corrected": 3, "accepted": 4, "rejected": 5}
    assert Listed.of(row(**CASE, **counts)) == Listed(case, **counts)
    frame = Frame.of(
        row(
            number=1, height=8, width=9, picture=b"png", spacing_row=None, spacing_column=None, seconds=0.5, rate=25.0,
            coloured=1,
        )
    )  # fmt: skip
    assert frame == Frame(1, 8, 9, b"png", None, 0.5, 25.0, True)
    assert frame.coloured is True


def test_a_mask_comes_back_from_its_text_and_the_same_mask_is_the_same_text() -> None:
    mask = masks.encode(np.eye(8, dtype=bool))
    assert text_of(dict(reversed(mask.items()))) == text_of(mask)
    assert text_of(masks.encode(np.zeros((8, 8), bool))) != text_of(mask)
    held = {"checksum": "c", "model": "m", "lesions": 1, "probability": b"map", "made": "2026"}
    for told in ({}, {"presence": None}, {"presence": 0.25}):  # the first is a row of an earlier version
        made = Stored.of(row(mask=text_of(mask), **held, **told))
        assert made == Stored(mask=mask, **held, **told)  # type: ignore[arg-type]
