import stat
import zipfile
from pathlib import Path

import pytest

from sonoseg.errors import UserError
from sonoseg.images import unpacking
from sonoseg.images.unpacking import unpack, unpacked


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


def test_a_name_that_is_too_long_is_told_where_somebody_listens(tmp_path: Path) -> None:
    path, unnamed = archive(tmp_path / "a.zip", **{"x" * 300: "1", "y": "2"}), list[str]()
    unpack(path, tmp_path / "out", unnamed)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["y"]
    assert unnamed == ["x" * 300]
    with pytest.raises(OSError, match="too long"):
        unpack(path, tmp_path / "other")


def member(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (member("../evil"), "the place '../evil' outside it"),
        (member("../"), "outside it"),
        (member("a/../../evil"), "outside it"),
        (member("a\\..\\..\\evil"), "outside it"),
        (member("/etc/evil"), "outside it"),
        (member("\\evil"), "outside it"),
        (member("C:/evil"), "outside it"),
        (member("link", stat.S_IFLNK | 0o777), "link or a device"),
        (member("pipe", stat.S_IFIFO | 0o644), "link or a device"),
    ],
)
def test_an_archive_that_reaches_out_of_its_folder_leaves_nothing(
    tmp_path: Path, name: zipfile.ZipInfo, message: str
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x", "1")
        file.writestr(name, "2")
    with pytest.raises(UserError, match=message):
        unpack(path, tmp_path / "in" / "out")
    assert [each.name for each in tmp_path.iterdir()] == ["a.zip"]


def test_what_cannot_be_unpacked_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", a="x" * 10_000)
    with pytest.raises(UserError, match="outputs need a folder"), unpacked([path], beside=True):
        pass
    monkeypatch.setattr(unpacking, "LARGEST", 5000)
    with pytest.raises(UserError, match=r"a\.zip holds 10,000 bytes, which is too much"):
        unpack(path, tmp_path / "out")
    monkeypatch.setattr(unpacking, "LARGEST", 50_000)
    monkeypatch.setattr(unpacking, "_HARMLESS", 5000)
    monkeypatch.setattr(unpacking, "MOST_TIMES", 10)
    with pytest.raises(UserError, match="too much"):
        unpack(path, tmp_path / "out")
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(UserError, match="is no whole ZIP archive"), unpacked([path], beside=False):
        pass
    assert not (tmp_path / "out").exists()


def test_what_is_locked_or_there_twice_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", a="1")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip holds 'a', which is locked"):
        unpack(path, tmp_path / "out")
    with pytest.raises(UserError, match="a file twice"):
        unpack(archive(tmp_path / "b.zip", **{"a/b": "1", "a\\b": "2"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_file_in_it_is_a_sentence(tmp_path: Path, form: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", form) as file:
        file.writestr("a", bytes(range(256)) * 8)
    content = bytearray(path.read_bytes())
    content[60:64] = b"\xff\0\xff\0"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is no whole ZIP archive"):
        unpack(path, tmp_path / "out")
