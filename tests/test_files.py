from pathlib import Path

import pytest

from sonoseg.files import replacing, write_csv, write_json, write_text


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


def test_a_full_disk_leaves_what_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "one\n")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(path, "two\n")
    assert path.read_text() == "one\n"
    assert list(tmp_path.iterdir()) == [path]


def test_csv_and_json_refuse_what_they_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="extra"):
        write_csv(tmp_path / "a.csv", ["a"], [{"a": 1, "extra": 2}])
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())
