import os
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from sonoseg.viewer.database import Database
from sonoseg.viewer.migrations import VERSION
from sonoseg.viewer.refusals import StoreUnavailable


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite3"
    Database(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match=f"version {VERSION + 1}; this program reads up to {VERSION}"):
        Database(path)
    assert path.read_bytes() == before


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no store" * 1000)
    for path in (tmp_path / "text", tmp_path, tmp_path / "text" / "below"):
        with pytest.raises(StoreUnavailable):
            Database(path)
    with pytest.raises(StoreUnavailable):
        Database(tmp_path / "missing", writable=False)


def test_one_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite3"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE held (x)")
    other.execute("BEGIN IMMEDIATE")
    released = threading.Timer(0.2, other.execute, ("ROLLBACK",))
    released.start()
    Database(path).close()
    released.join()
    other.close()


def test_a_transaction_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    database = Database(tmp_path / "reviews.sqlite3")
    insert = "INSERT INTO cases (name, sha256, added) VALUES (?, ?, '')"
    with database._writing() as db:
        db.execute(insert, ("a.png", "a"))

    def second(wrong: str, *values: str) -> None:
        with database._writing() as db:
            db.execute(insert, ("b.png", "b"))
            db.execute(wrong, values)

    with pytest.raises(StoreUnavailable, match="nothing was saved"):
        second("INSERT INTO nowhere VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError):
        second(insert, "c.png", "a")
    assert [row["name"] for row in database._rows("SELECT name FROM cases")] == ["a.png"]
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        database._rows("SELECT * FROM nowhere")
    database.close()


def test_what_was_written_is_flushed_to_the_disk(tmp_path: Path) -> None:
    database = Database(tmp_path / "reviews.sqlite3")
    asked = {name: database._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    database.close()


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
def test_nobody_else_reads_what_is_kept(tmp_path: Path) -> None:
    former = os.umask(0o022)
    try:
        stands, ours = tmp_path / "stands", tmp_path / "above" / "ours"
        stands.mkdir()
        for folder in (stands, ours):
            database = Database(folder / "reviews.sqlite3")
            with database._writing() as db:
                db.execute("INSERT INTO cases (name, sha256, added) VALUES ('a', 'a', '')")
            kept = {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}
            assert kept == dict.fromkeys((f"reviews.sqlite3{end}" for end in ("", "-wal", "-shm")), 0o600)
            database.close()
        assert [each.stat().st_mode & 0o777 for each in (stands, ours)] == [0o755, 0o700]
    finally:
        os.umask(former)
