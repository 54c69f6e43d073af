"""What reviews keep: cases with their frames, predictions, corrections and decisions, in one SQLite file.

Nothing is overwritten: a correction and a decision are added to those before them, with who and when, and the last one
counts. What was answered is on the disk (WAL, synchronous), whatever kills the process.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sonoseg.viewer.migrations import STEPS, VERSION
from sonoseg.viewer.refusals import NotThere, StoreUnavailable

Runs = dict[str, Any]
"""A mask as ``images.masks.encode`` writes it."""

Decision = Literal["accepted", "rejected", "open"]

DECISIONS: tuple[Decision, ...] = ("accepted", "rejected", "open")

_BUSY = 10.0
"""Seconds that another process may hold the store."""


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


@dataclass(frozen=True)
class Stored:
    """A prediction. checksum, model: of what made it. probability: as ``coding.pack`` packs it."""

    checksum: str
    model: str
    mask: Runs
    lesions: int
    probability: bytes
    made: str = ""


@dataclass(frozen=True)
class Correction:
    """A mask as a reader left it after one stroke. action: what the stroke was."""

    id: int
    number: int
    reader: str
    at: str
    action: str
    mask: Runs


@dataclass(frozen=True)
class Judgement:
    """What a reader decided about a frame."""

    number: int
    reader: str
    at: str
    decision: Decision
    comment: str


class Store:
    """An open store, for any thread. Errors: ``StoreUnavailable`` for what is no store, or of a newer version.

    writable: whether it may be changed; a store that is not there yet is made then.
    """

    def __init__(self, path: Path, writable: bool = True) -> None:
        self.path, self._lock = path, threading.RLock()
        try:
            if writable:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'rwc' if writable else 'ro'}",
                uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False,
            )  # fmt: skip
            try:
                self._prepare(writable)
            except BaseException:
                self._db.close()
                raise
        except (OSError, sqlite3.Error) as error:
            raise StoreUnavailable(
                f"the review store {path} cannot be opened ({error})", hint="give another --store, or the right to it"
            ) from error

    def close(self) -> None:
        """Close it; nothing waits to be written."""
        self._db.close()

    def _prepare(self, writable: bool) -> None:
        version = self._version()
        if version > VERSION:
            raise StoreUnavailable(
                f"the review store {self.path} is of version {version}; this program reads up to {VERSION}",
                hint="install the sonoseg that wrote it, or give another --store",
            )
        self._db.execute("PRAGMA foreign_keys = ON")
        if not writable:
            return
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        while version < VERSION:
            try:
                self._db.executescript(
                    f"BEGIN IMMEDIATE; {STEPS[version]}; PRAGMA user_version = {version + 1}; COMMIT"
                )
            except sqlite3.OperationalError:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if self._version() == version:
                    raise
            version = self._version()  # another process may have taken the step meanwhile

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    # Cases

    def add_case(self, name: str, sha256: str, content: bytes, frames: Sequence[Frame], series: str = "") -> Case:
        """Keep a file with its images. A file that is there already keeps what was done to it."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO cases (name, sha256, added, series) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (name, sha256, _now(), series),
            )
            (number,) = db.execute("SELECT id FROM cases WHERE sha256 = ?", (sha256,)).fetchone()
            db.execute("INSERT INTO files VALUES (?, ?) ON CONFLICT DO NOTHING", (number, content))
            db.executemany(
                "INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    (
                        number, frame.number, frame.height, frame.width, *(frame.spacing or (None, None)),
                        frame.seconds, frame.rate, frame.coloured, frame.picture,
                    )
                    for frame in frames
                ),
            )  # fmt: skip
        return self.case(int(number))

    def case(self, number: int) -> Case:
        """Give a case. Errors: ``NotThere``."""
        return self._one(_CASE + "WHERE cases.id = ?", number)

    def find_case(self, sha256: str) -> Case | None:
        """Give the case of a file, if it is there."""
        rows = self._rows(_CASE + "WHERE cases.sha256 = ?", sha256)
        return _case(rows[0]) if rows else None

    def find_image(self, name: str) -> Case:
        """Give the latest case of a DICOM series, or of this name. Errors: ``NotThere``."""
        return self._one(_CASE + "WHERE ?1 IN (cases.series, cases.name) AND ?1 <> '' ORDER BY id DESC LIMIT 1", name)

    def rename(self, number: int, name: str) -> None:
        """Call a case otherwise. Errors: ``NotThere``."""
        with self._writing() as db:
            if not db.execute("UPDATE cases SET name = ? WHERE id = ?", (name, number)).rowcount:
                raise _no_case(number)

    def cases(self, after: int = 0, limit: int = -1) -> list[Listed]:
        """List cases in the order in which they came, those whose number is over ``after``."""
        return [_listed(row) for row in self._rows(_LIST, after, limit)]

    def remove_case(self, number: int) -> None:
        """Forget a case and all that belongs to it. Errors: ``NotThere``."""
        with self._writing() as db:
            if not db.execute("DELETE FROM cases WHERE id = ?", (number,)).rowcount:
                raise _no_case(number)

    def set_spacing(self, number: int, spacing: tuple[float, float] | None) -> None:
        """Keep the size of a pixel that a reader measured; None goes back to the file's. Errors: ``NotThere``."""
        with self._writing() as db:
            changed = db.execute(
                "UPDATE cases SET spacing_row = ?, spacing_column = ? WHERE id = ?",
                (*(spacing or (None, None)), number),
            )
            if not changed.rowcount:
                raise _no_case(number)

    def content(self, number: int) -> bytes:
        """Give the file of a case, as it came. Errors: ``NotThere``."""
        rows = self._rows("SELECT content FROM files WHERE case_id = ?", number)
        if not rows:
            raise _no_case(number)
        return bytes(rows[0]["content"])

    # Frames

    def frame(self, case: int, number: int) -> Frame:
        """Give an image of a case. Errors: ``NotThere``."""
        rows = self._rows("SELECT * FROM frames WHERE case_id = ? AND number = ?", case, number)
        if not rows:
            raise _no_frame(case, number)
        return _frame(rows[0])

    def frames(self, case: int) -> list[Frame]:
        """Give all images of a case, without their pictures. Errors: ``NotThere``."""
        rows = self._rows(
            "SELECT number, height, width, x'' AS picture, spacing_row, spacing_column, seconds, rate, coloured "
            "FROM frames WHERE case_id = ? ORDER BY number",
            case,
        )
        if not rows:
            raise _no_case(case)
        return [_frame(row) for row in rows]

    def add_prediction(self, case: int, number: int, found: Stored) -> None:
        """Keep a prediction of a frame; an earlier one of the same model stays. Errors: ``NotThere``."""
        with self._writing_of(case, number) as db:
            db.execute(
                "INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    case, number, found.checksum, found.model, _now(), found.lesions, _text(found.mask),
                    found.probability,
                ),
            )  # fmt: skip

    def prediction(self, case: int, number: int, checksum: str | None = None) -> Stored | None:
        """Give the prediction of a frame by a model, or the first one, if there is one."""
        rows = self._rows(
            "SELECT * FROM predictions WHERE case_id = ? AND number = ? AND (? IS NULL OR checksum = ?) "
            "ORDER BY made, rowid LIMIT 1",
            case, number, checksum, checksum,
        )  # fmt: skip
        if not rows:
            return None
        row = rows[0]
        return Stored(
            row["checksum"], row["model"], json.loads(row["mask"]), row["lesions"], row["probability"], row["made"]
        )

    # Reviews

    def add_correction(self, case: int, number: int, reader: str, action: str, mask: Runs) -> int:
        """Keep a mask as a reader left it; give its number. Errors: ``NotThere`` for a frame that is not there."""
        with self._writing_of(case, number) as db:
            added = db.execute(
                "INSERT INTO corrections (case_id, number, reader, at, action, mask) VALUES (?, ?, ?, ?, ?, ?)",
                (case, number, reader, _now(), action, _text(mask)),
            )
            return int(added.lastrowid or 0)

    def corrections(self, case: int, number: int | None = None) -> list[Correction]:
        """Give all corrections of a case, or of a frame of it, the first one first."""
        rows = self._rows(
            "SELECT * FROM corrections WHERE case_id = ? AND (? IS NULL OR number = ?) ORDER BY id",
            case, number, number,
        )  # fmt: skip
        return [_correction(row) for row in rows]

    def correction(self, case: int, number: int) -> Correction | None:
        """Give the last correction of a frame, if there is one."""
        rows = self._rows(
            "SELECT * FROM corrections WHERE case_id = ? AND number = ? ORDER BY id DESC LIMIT 1", case, number
        )
        return _correction(rows[0]) if rows else None

    def add_decision(self, case: int, number: int, reader: str, decision: Decision, comment: str) -> None:
        """Keep what a reader decided about a frame. Errors: ``NotThere`` for a frame that is not there."""
        with self._writing_of(case, number) as db:
            db.execute(
                "INSERT INTO decisions (case_id, number, reader, at, decision, comment) VALUES (?, ?, ?, ?, ?, ?)",
                (case, number, reader, _now(), decision, comment),
            )

    def decisions(self, case: int, number: int | None = None) -> list[Judgement]:
        """Give all decisions about a case, or a frame of it, the first one first."""
        rows = self._rows(
            "SELECT * FROM decisions WHERE case_id = ? AND (? IS NULL OR number = ?) ORDER BY id", case, number, number
        )
        return [Judgement(r["number"], r["reader"], r["at"], r["decision"], r["comment"]) for r in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, all of it or nothing."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    raise
            except sqlite3.IntegrityError:
                raise
            except sqlite3.Error as error:
                raise StoreUnavailable(
                    f"the review store cannot be written ({error}); nothing was saved",
                    hint="make room on its disk, or give the right to write there, then try again",
                ) from error

    @contextmanager
    def _writing_of(self, case: int, number: int) -> Iterator[sqlite3.Connection]:
        """One transaction about a frame. Errors: ``NotThere`` where there is none."""
        try:
            with self._writing() as db:
                yield db
        except sqlite3.IntegrityError as error:
            raise _no_frame(case, number) from error

    def _one(self, query: str, key: object) -> Case:
        rows = self._rows(query, key)
        if not rows:
            raise _no_case(key)
        return _case(rows[0])

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            try:
                cursor = self._db.cursor()
                cursor.row_factory = sqlite3.Row
                return cursor.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StoreUnavailable(
                    f"the review store cannot be read ({error})", hint="check the disk that it is on"
                ) from error


_CASE = "SELECT *, (SELECT count(*) FROM frames WHERE case_id = cases.id) AS frames FROM cases "

_LIST = """
    SELECT cases.*,
        (SELECT count(*) FROM frames WHERE case_id = cases.id) AS frames,
        (SELECT count(DISTINCT number) FROM predictions WHERE case_id = cases.id) AS predicted,
        (SELECT coalesce(sum(lesions), 0) FROM predictions WHERE case_id = cases.id) AS lesions,
        (SELECT count(*) FROM corrections c WHERE case_id = cases.id AND id = (
            SELECT max(id) FROM corrections WHERE case_id = c.case_id AND number = c.number) AND NOT EXISTS (
            SELECT 1 FROM predictions WHERE case_id = c.case_id AND number = c.number AND mask = c.mask)) AS corrected,
        (SELECT count(*) FROM decisions d WHERE case_id = cases.id AND decision = 'accepted' AND id = (
            SELECT max(id) FROM decisions WHERE case_id = d.case_id AND number = d.number)) AS accepted,
        (SELECT count(*) FROM decisions d WHERE case_id = cases.id AND decision = 'rejected' AND id = (
            SELECT max(id) FROM decisions WHERE case_id = d.case_id AND number = d.number)) AS rejected
    FROM cases WHERE id > ? ORDER BY id LIMIT ?
"""


def _case(row: sqlite3.Row) -> Case:
    return Case(row["id"], row["name"], row["sha256"], row["added"], row["frames"], _spacing(row), row["series"])


def _frame(row: sqlite3.Row) -> Frame:
    return Frame(
        row["number"], row["height"], row["width"], row["picture"], _spacing(row), row["seconds"], row["rate"],
        bool(row["coloured"]),
    )  # fmt: skip


def _listed(row: sqlite3.Row) -> Listed:
    counts = (row[key] for key in ("predicted", "lesions", "corrected", "accepted", "rejected"))
    return Listed(_case(row), *counts)


def _correction(row: sqlite3.Row) -> Correction:
    return Correction(row["id"], row["number"], row["reader"], row["at"], row["action"], json.loads(row["mask"]))


def _text(mask: Runs) -> str:
    """The same mask is the same text, so that the store can compare them."""
    return json.dumps(mask, separators=(",", ":"), sort_keys=True)


def _spacing(row: sqlite3.Row) -> tuple[float, float] | None:
    return None if row["spacing_row"] is None else (row["spacing_row"], row["spacing_column"])


def _no_case(key: object) -> NotThere:
    return NotThere(f"there is no case {key}", "ask /api/cases")


def _no_frame(case: int, number: int) -> NotThere:
    return NotThere(f"case {case} has no frame {number}", f"ask /api/cases/{case}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
