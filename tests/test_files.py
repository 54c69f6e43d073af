import errno
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from failing_disk import FailingDisk
from sonoseg.errors import UserError
from sonoseg.files import alone, remove_leftovers, replacing, write_all, write_bytes, write_csv, write_json, write_text


def test_a_failed_write_leaves_what_stood_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "one\n")

    def half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        half()
    assert path.read_bytes() == b"one\n"
    assert list(path.parent.iterdir()) == [path]


def in_two_pieces(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"n")
        file.write(b"ew")


@pytest.mark.parametrize("standing", [False, True])
def test_whatever_fails_leaves_all_files_or_none(tmp_path: Path, standing: bool) -> None:
    first, second, third = tmp_path / "a.bin", tmp_path / "deep" / "b.bin", tmp_path / "c.bin"
    for fails in range(1, 100):
        for path in (first, second, third):
            path.unlink(missing_ok=True)
            if standing:
                write_bytes(path, b"old")
        disk = FailingDisk(tmp_path, fails)
        with pytest.MonkeyPatch.context() as patch, suppress(OSError):
            disk.install(patch)
            write_all({first: b"new a", second: b"new b", third: in_two_pieces})
        there = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        if not disk.failed:
            assert there == {first: b"new a", second: b"new b", third: b"new"}
            break
        assert set(there.values()) <= {b"old"}  # what had its name already is gone, what had not stands
    assert fails > 10


@pytest.mark.parametrize("fails", range(1, 5))
def test_a_failing_disk_leaves_what_stood(tmp_path: Path, fails: int) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "one\n")
    with pytest.MonkeyPatch.context() as patch:
        FailingDisk(tmp_path, fails).install(patch)
        with pytest.raises(OSError, match="No space left"), replacing(path) as temporary:
            temporary.write_text("two\n")
    assert path.read_text() == ("two\n" if fails == 4 else "one\n")  # the last step flushes the folder
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_lies_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda place: steps.append("fsync") or fsync(place))
    monkeypatch.setattr(os, "replace", lambda old, new: steps.append("replace") or replace(old, new))
    write_all({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert steps == ["fsync", "fsync", "replace", "replace", "fsync"]


def test_a_file_system_that_cannot_flush_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(place: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", cannot)
    write_bytes(tmp_path / "a", b"1")
    assert (tmp_path / "a").read_bytes() == b"1"


def test_nothing_written_takes_away_what_stood(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"old")
    write_all({tmp_path / "a": lambda path: None, tmp_path / "b": lambda path: path.write_bytes(b"new")})
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("n" * 255), b"1")
    with pytest.raises(OSError, match="too long"):
        write_bytes(tmp_path / ("n" * 256), b"1")


def test_a_folder_is_held_by_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with alone(folder), pytest.raises(UserError, match="another run is writing to"), alone(folder):
        raise AssertionError
    with alone(folder):
        pass
    assert list(folder.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"), alone(tmp_path / "file"):
        raise AssertionError


KILLED = """
import os, sys
from pathlib import Path
from sonoseg.files import alone, replacing
folder = Path(sys.argv[1])
with alone(folder), replacing(folder / "deep" / "a") as one, replacing(folder / "b") as other:
    one.write_bytes(b"half")
    other.write_bytes(b"half")
    os._exit(9)
"""


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False).returncode == 9
    write_bytes(tmp_path / "whole.part", b"1")
    assert len(list(tmp_path.rglob("*.part"))) == 3
    with alone(tmp_path):
        remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["whole.part"]


def test_csv_and_json_refuse_what_they_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="extra"):
        write_csv(tmp_path / "a.csv", ["a"], [{"a": 1, "extra": 2}])
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())
