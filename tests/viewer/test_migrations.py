import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from sonoseg.viewer import database
from sonoseg.viewer.migrations import STEPS, VERSION
from sonoseg.viewer.records import Frame, Judgement, Stored
from sonoseg.viewer.refusals import StoreUnavailable
from sonoseg.viewer.store import Store


def version(path: Path) -> int:
    with sqlite3.connect(path) as db:
        (found,) = db.execute("PRAGMA user_version").fetchone()
    db.close()
    return int(found)


def test_a_store_of_each_earlier_version_is_brought_to_this_one(tmp_path: Path) -> None:
    for seen in range(VERSION + 1):
        path = tmp_path / f"{seen}.sqlite3"
        with sqlite3.connect(path) as db:
            db.executescript("".join(STEPS[:seen]) + f"PRAGMA user_version = {seen}")
        db.close()
        store = Store(path)
        assert store.add_case("a.png", "a" * 64, b"content", [Frame(1, 8, 8, b"one")]).id == 1
        store.close()
        assert version(path) == VERSION


def test_predictions_of_the_first_version_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite3"
    with sqlite3.connect(path) as db:
        db.executescript(STEPS[0] + "PRAGMA user_version = 1")
        db.execute("INSERT INTO cases (name, sha256, added) VALUES ('a.png', 'a', '')")
        db.execute("INSERT INTO frames VALUES (1, 1, 8, 8, NULL, NULL, NULL, NULL, 0, x'01')")
        mask = '{"counts":[64],"size":[8,8]}'
        db.execute("INSERT INTO predictions VALUES (1, 1, 'c', 'tiny', '2026', 0, ?, x'02')", [mask])
    db.close()
    former = Stored("c", "tiny", {"counts": [64], "size": [8, 8]}, 0, b"\x02", "2026")
    for writable in (False, True):  # what only reads brings nothing to this version
        store = Store(path, writable)
        assert store.prediction(1, 1) == former
        assert store.cases()[0].predicted == 1
        store.close()
        assert version(path) == (VERSION if writable else 1)
    store = Store(path)
    store.add_prediction(1, 1, Stored("d", "other", {"counts": [64], "size": [8, 8]}, 0, b"\x03", presence=0.25))
    assert [found.presence for key in ("c", "d") if (found := store.prediction(1, 1, key))] == [None, 0.25]
    store.close()


def test_decisions_of_the_second_version_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite3"
    with sqlite3.connect(path) as db:
        db.executescript("".join(STEPS[:2]) + "PRAGMA user_version = 2")
        db.execute("INSERT INTO cases (name, sha256, added) VALUES ('a.png', 'a', '')")
        db.execute("INSERT INTO frames VALUES (1, 1, 8, 8, NULL, NULL, NULL, NULL, 0, x'01')")
        db.execute("INSERT INTO decisions VALUES (1, 1, 1, 'A', '2026', 'accepted', 'clear')")
    db.close()
    for writable in (False, True):
        store = Store(path, writable)
        assert store.decisions(1) == [Judgement(1, "A", "2026", "accepted", "clear")]
        store.close()
    store = Store(path)
    store.add_decision(1, 1, "B", "rejected", "", "c")
    assert [each.checksum for each in store.decisions(1)] == [None, "c"]
    store.close()


def test_two_that_open_a_new_store_at_once_both_have_it(tmp_path: Path) -> None:
    for number in range(20):
        path, both = tmp_path / f"{number}.sqlite3", Barrier(2)

        def opened(path: Path = path, both: Barrier = both) -> int:
            both.wait()
            store = Store(path)
            found = len(store.cases())
            store.close()
            return found

        with ThreadPoolExecutor(2) as pool:
            assert [each.result() for each in [pool.submit(opened) for _ in range(2)]] == [0, 0]


def test_what_was_kept_stays_where_a_later_step_adds_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reviews.sqlite3"
    store = Store(path)
    case = store.add_case("a.png", "a" * 64, b"content", [Frame(1, 8, 8, b"one")])
    store.close()
    wrong = "ALTER TABLE cases ADD COLUMN site TEXT; ALTER TABLE nowhere ADD COLUMN x TEXT"
    monkeypatch.setattr(database, "VERSION", VERSION + 1)
    monkeypatch.setattr(database, "STEPS", (*STEPS, wrong))
    with pytest.raises(StoreUnavailable):
        Store(path)
    assert version(path) == VERSION  # half of a step is none
    monkeypatch.setattr(database, "STEPS", (*STEPS, "ALTER TABLE cases ADD COLUMN site TEXT"))
    store = Store(path)
    assert store.case(case.id) == case
    store.close()
    assert version(path) == VERSION + 1
