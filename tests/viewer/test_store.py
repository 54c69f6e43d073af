import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sonoseg.images import masks
from sonoseg.viewer.records import Case, Frame, Stored
from sonoseg.viewer.refusals import NotThere, StoreUnavailable
from sonoseg.viewer.store import Store

MASK = masks.encode(np.eye(8, dtype=bool))


def opened(path: Path) -> tuple[Store, Case]:
    store = Store(path / "new" / "reviews.sqlite3")
    frames = [Frame(1, 8, 8, b"one", (0.1, 0.2)), Frame(2, 8, 8, b"two", None, 0.04, 25.0, True)]
    return store, store.add_case("scan.png", "a" * 64, b"content", frames, "1.2.3")


def test_a_case_is_kept_whole(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    store.close()
    again = Store(tmp_path / "new" / "reviews.sqlite3")
    assert again.case(case.id) == case
    assert (case.frames, case.name, case.series) == (2, "scan.png", "1.2.3")
    assert again.frame(case.id, 1) == Frame(1, 8, 8, b"one", (0.1, 0.2))
    assert again.frame(case.id, 2) == Frame(2, 8, 8, b"two", None, 0.04, 25.0, True)
    assert [frame.number for frame in again.frames(case.id)] == [1, 2]
    assert again.content(case.id) == b"content"
    assert again.find_case("a" * 64) == again.find_image("1.2.3") == again.find_image("scan.png") == case
    again.close()


def test_the_same_file_is_the_same_case(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    store.add_correction(case.id, 1, "A", "brush", MASK)
    again = store.add_case("other.png", "a" * 64, b"content", [Frame(1, 8, 8, b"one")])
    assert again == case
    assert len(store.corrections(case.id)) == 1


def test_nothing_is_overwritten_and_the_last_word_counts(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    empty = masks.encode(np.zeros((8, 8), bool))
    first, second = (store.add_correction(case.id, 1, who, "brush", m) for who, m in (("A", MASK), ("B", empty)))
    assert second > first
    assert [(c.reader, c.mask) for c in store.corrections(case.id, 1)] == [("A", MASK), ("B", empty)]
    last = store.correction(case.id, 1)
    assert last is not None
    assert (last.reader, last.mask) == ("B", empty)
    assert store.correction(case.id, 2) is None
    store.add_decision(case.id, 1, "A", "rejected", "blurred")
    store.add_decision(case.id, 1, "B", "accepted", "")
    assert [(d.reader, d.decision, d.comment) for d in store.decisions(case.id)] == [
        ("A", "rejected", "blurred"),
        ("B", "accepted", ""),
    ]
    store.add_prediction(case.id, 1, Stored("c" * 64, "tiny", MASK, 1, b"map"))
    (listed,) = store.cases()
    assert (listed.predicted, listed.lesions, listed.corrected, listed.accepted, listed.rejected) == (1, 1, 1, 1, 0)
    store.add_correction(case.id, 1, "B", "undo", dict(reversed(MASK.items())))
    assert store.cases()[0].corrected == 0  # as predicted again


def test_predictions_are_kept_by_model(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    for checksum in ("c" * 64, "d" * 64, "c" * 64):
        store.add_prediction(case.id, 1, Stored(checksum, checksum[0], MASK, 1, b"map of " + checksum.encode()))
    for checksum in ("c" * 64, "d" * 64):
        found = store.prediction(case.id, 1, checksum)
        assert found is not None
        assert (found.model, found.probability) == (checksum[0], b"map of " + checksum.encode())
    first = store.prediction(case.id, 1)
    assert first is not None
    assert first.model == "c"
    assert store.prediction(case.id, 1, "e" * 64) is None


def test_presence_is_kept_to_the_last_digit_and_may_be_untold(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    for number, presence in ((1, 0.1 + 0.2), (2, None)):
        store.add_prediction(case.id, number, Stored("c" * 64, "tiny", MASK, 1, b"map", presence=presence))
        found = store.prediction(case.id, number)
        assert found is not None
        assert found.presence == presence
    store.close()


def test_what_is_forgotten_is_gone_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    store.add_correction(case.id, 1, "A", "brush", MASK)
    store.set_spacing(case.id, (0.3, 0.4))
    assert store.case(case.id).spacing == (0.3, 0.4)
    store.remove_case(case.id)
    assert store.cases() == store.corrections(case.id) == []
    for ask in (
        lambda: store.case(case.id), lambda: store.frame(case.id, 1), lambda: store.content(case.id),
        lambda: store.remove_case(case.id), lambda: store.set_spacing(case.id, None), lambda: store.frames(case.id),
        lambda: store.add_correction(case.id, 1, "A", "brush", MASK), lambda: store.find_image("1.2.3"),
        lambda: store.add_decision(case.id, 1, "A", "open", ""),
    ):  # fmt: skip
        with pytest.raises(NotThere):
            ask()


def test_what_a_dropped_file_asks_of_the_store_costs_the_same_among_many(tmp_path: Path) -> None:
    store, frames = Store(tmp_path / "reviews.sqlite3"), [Frame(1, 8, 8, b"one")]

    def dropped() -> None:
        sha256 = os.urandom(32).hex()
        assert store.find_case(sha256) is None
        case = store.add_case("scan.png", sha256, b"content", frames)
        assert [each.case for each in store.cases(case.id - 1, 1)] == [case]
        assert store.prediction(case.id, 1, "c" * 64) is None
        assert store.frames(case.id)[0].number == store.frame(case.id, 1).number
        store.add_prediction(case.id, 1, Stored("c" * 64, "tiny", MASK, 1, b"map"))
        assert store.corrections(case.id) == store.decisions(case.id) == []

    def steps() -> int:
        """What SQLite did, in steps of its machine, which does a few for each row that it looks at."""
        taken = iter(range(1_000_000))
        store._db.set_progress_handler(lambda: next(taken) < 0, 1)
        dropped()
        store._db.set_progress_handler(None, 1)
        return next(taken)

    dropped()
    alone = steps()
    for _ in range(200):
        dropped()
    assert steps() <= alone + 20
    store.close()


def test_a_store_that_cannot_be_written_says_that_nothing_was_saved(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    store.close()
    reading = Store(tmp_path / "new" / "reviews.sqlite3", writable=False)
    with pytest.raises(StoreUnavailable, match="nothing was saved"):
        reading.add_correction(case.id, 1, "A", "brush", MASK)
    assert reading.case(case.id) == case


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills as POSIX does")
def test_no_stroke_that_was_answered_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    store, case = opened(tmp_path)
    store.close()
    path, answered = tmp_path / "new" / "reviews.sqlite3", set[int]()
    for kill in range(50):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:  # saves strokes until it is killed
            writer = Store(path)
            while True:
                os.write(tell, writer.add_correction(case.id, 1, "A", "brush", MASK).to_bytes(8, "big"))
        os.close(tell)
        with os.fdopen(told, "rb", buffering=0) as pipe:
            answered.add(int.from_bytes(pipe.read(8), "big"))  # at least one stroke
            time.sleep(0.0007 * (kill % 10))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            rest = pipe.read(1 << 16) or b""
            answered |= {int.from_bytes(rest[i : i + 8], "big") for i in range(0, len(rest), 8)}
        store = Store(path)
        kept = {correction.id for correction in store.corrections(case.id)}
        store.close()
        assert answered <= kept, f"kill {kill}"
        assert len(kept) <= len(answered) + kill + 1  # at most one that was saved and not yet told
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
