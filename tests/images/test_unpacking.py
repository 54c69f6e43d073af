import zipfile
from pathlib import Path

import pytest

from sonoseg.errors import UserError
from sonoseg.images import unpacking
from sonoseg.images.unpacking import unpacked


def archive(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_is_a_folder_for_a_while_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"")
    inputs = [archive(tmp_path / "a.zip", **{"x/y.txt": "1", "z.txt": "2"}), tmp_path / "b.png", tmp_path]
    with unpacked(inputs, beside=False) as found:
        assert found[1:] == inputs[1:]
        assert found[0].name == "a"
        assert (found[0] / "x" / "y.txt").read_text() == "1"
    assert not found[0].exists()


def test_nothing_leaves_the_folder(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", **{"../../out.txt": "1", "/abs.txt": "2"})
    with unpacked([path], beside=False) as (found,):
        assert sorted(each.name for each in found.rglob("*.txt")) == ["abs.txt", "out.txt"]


def test_what_cannot_be_unpacked_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", a="x" * 10_000)
    with pytest.raises(UserError, match="outputs need a folder"), unpacked([path], beside=True):
        pass
    monkeypatch.setattr(unpacking, "LARGEST", 5000)
    with pytest.raises(UserError, match="too much"), unpacked([path], beside=False):
        pass
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(UserError, match="cannot be unpacked"), unpacked([path], beside=False):
        pass
