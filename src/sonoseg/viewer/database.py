"""The SQLite file under the review store: opened, brought to this version, read and written by any thread.

A transaction that ended is on the disk (WAL, synchronous), whatever kills the process.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sonoseg.viewer.migrations import STEPS, VERSION
from sonoseg.viewer.refusals import StoreUnavailable

_BUSY = 10.0
"""Seconds that another process may hold the store."""

_making = threading.Lock()


class Database:
    """An open file, for any thread. Errors: ``StoreUnavailable`` for what is no store, or of a newer version.

    writable: whether it may be changed; a file that is not there is made then, for its owner alone, as is its folder.
    """

    def __init__(self, path: Path, writable: bool = True) -> None:
        self.path, self._lock = path, threading.RLock()
        try:
            if writable:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _make(path)
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
        self._write_ahead()
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

    def _write_ahead(self) -> None:
        """Set WAL; SQLite does not wait by itself where another process that opens the file has it for writing."""
        until = time.monotonic() + _BUSY
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

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


def _make(path: Path) -> None:
    """Make a file for its owner alone, where there is none; SQLite gives those that lie beside it the same rights.

    One at a time: closing a file takes the locks that others of this process, by SQLite, have on it.
    """
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
