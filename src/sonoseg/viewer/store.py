"""What reviews keep, in one file: cases with their frames, predictions, corrections and decisions.

Nothing is overwritten: a correction and a decision are added to those before them, with who and when, and the last one
counts. What was answered is on the disk.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sonoseg.viewer.database import Database
from sonoseg.viewer.records import Case, Correction, Decision, Frame, Judgement, Listed, Runs, Stored, text_of
from sonoseg.viewer.refusals import NotThere, Stale


class Store(Database):
    """An open store, for any thread: a ``Database`` that knows what it holds."""

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
        return Case.of(rows[0]) if rows else None

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
        return [Listed.of(row) for row in self._rows(_LIST, after, limit)]

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
        return Frame.of(rows[0])

    def frames(self, case: int) -> list[Frame]:
        """Give all images of a case, without their pictures. Errors: ``NotThere``."""
        rows = self._rows(
            "SELECT number, height, width, x'' AS picture, spacing_row, spacing_column, seconds, rate, coloured "
            "FROM frames WHERE case_id = ? ORDER BY number",
            case,
        )
        if not rows:
            raise _no_case(case)
        return [Frame.of(row) for row in rows]

    def add_prediction(self, case: int, number: int, found: Stored) -> None:
        """Keep a prediction of a frame; an earlier one of the same model stays. Errors: ``NotThere``."""
        with self._writing_of(case, number) as db:
            db.execute(
                "INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    case, number, found.checksum, found.model, _now(), found.lesions, text_of(found.mask),
                    found.probability, found.presence,
                ),
            )  # fmt: skip

    def prediction(self, case: int, number: int, checksum: str | None = None) -> Stored | None:
        """Give the prediction of a frame by a model, or the first one, if there is one."""
        rows = self._rows(
            "SELECT * FROM predictions WHERE case_id = ? AND number = ? AND (? IS NULL OR checksum = ?) "
            "ORDER BY made, rowid LIMIT 1",
            case, number, checksum, checksum,
        )  # fmt: skip
        return Stored.of(rows[0]) if rows else None

    # Reviews

    def add_correction(
        self, case: int, number: int, reader: str, action: str, mask: Runs, after: int | None = None
    ) -> int:
        """Keep a mask as a reader left it; give its number.

        after: number of the correction that it was made of, 0 for none; None is not checked.
        Errors: ``NotThere`` for a frame that is not there, ``Stale`` where another correction stands.
        """
        with self._writing_of(case, number) as db:
            last = None if after is None else self.correction(case, number)
            if last and last.id != after:
                if (last.reader, last.action, last.mask) == (reader, action, mask):
                    return last.id  # the same once more, of somebody who never heard that it was kept
                raise Stale(
                    f"{last.reader} changed this outline meanwhile; what was drawn since was not saved",
                    "draw again on what stands now",
                )
            added = db.execute(
                "INSERT INTO corrections (case_id, number, reader, at, action, mask) VALUES (?, ?, ?, ?, ?, ?)",
                (case, number, reader, _now(), action, text_of(mask)),
            )
            return int(added.lastrowid or 0)

    def corrections(self, case: int, number: int | None = None) -> list[Correction]:
        """Give all corrections of a case, or of a frame of it, the first one first."""
        rows = self._rows(
            "SELECT * FROM corrections WHERE case_id = ? AND (? IS NULL OR number = ?) ORDER BY id",
            case, number, number,
        )  # fmt: skip
        return [Correction.of(row) for row in rows]

    def correction(self, case: int, number: int) -> Correction | None:
        """Give the last correction of a frame, if there is one."""
        rows = self._rows(
            "SELECT * FROM corrections WHERE case_id = ? AND number = ? ORDER BY id DESC LIMIT 1", case, number
        )
        return Correction.of(rows[0]) if rows else None

    def add_decision(
        self, case: int, number: int, reader: str, decision: Decision, comment: str, checksum: str | None = None
    ) -> None:
        """Keep what a reader decided about a frame. Errors: ``NotThere`` for a frame that is not there.

        checksum: of the model whose outline was seen.
        """
        with self._writing_of(case, number) as db:
            db.execute(
                "INSERT INTO decisions (case_id, number, reader, at, decision, comment, checksum) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (case, number, reader, _now(), decision, comment, checksum),
            )

    def decisions(self, case: int, number: int | None = None) -> list[Judgement]:
        """Give all decisions about a case, or a frame of it, the first one first."""
        rows = self._rows(
            "SELECT * FROM decisions WHERE case_id = ? AND (? IS NULL OR number = ?) ORDER BY id", case, number, number
        )
        return [Judgement.of(row) for row in rows]

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
        return Case.of(rows[0])


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


def _no_case(key: object) -> NotThere:
    return NotThere(f"there is no case {key}", "ask /api/cases")


def _no_frame(case: int, number: int) -> NotThere:
    return NotThere(f"case {case} has no frame {number}", f"ask /api/cases/{case}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
