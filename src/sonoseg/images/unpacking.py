"""Zip archives: checked before anything of them is written; unpacked for good, or while their files are read."""

import errno
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sonoseg.errors import UserError

LARGEST = 50 * 2**30
"""Bytes that an archive may unpack to."""

MOST_TIMES = 200
"""That an archive may be larger unpacked, where it unpacks to more than ``_HARMLESS``."""

_HARMLESS = 2**30
_PIECE = 1 << 18


@contextmanager
def unpacked(inputs: Sequence[Path], beside: bool, unnamed: list[str] | None = None) -> Iterator[list[Path]]:
    """Give the same paths, with folders of their files in place of zip archives, which go away when the block ends.

    beside: whether outputs are to stand beside the files. unnamed: as of ``unpack``. Errors: ``UserError`` as
    ``unpack``, and for an archive where outputs are to stand beside its files.
    """
    with tempfile.TemporaryDirectory(prefix="sonoseg-") as folder:
        found = []
        for number, path in enumerate(inputs):
            if not (path.is_file() and _is_zip(path)):
                found.append(path)
                continue
            if beside:
                raise UserError(f"{path} is an archive; its outputs need a folder", hint="give --out FOLDER")
            found.append(Path(folder) / str(number) / path.stem)
            unpack(path, found[-1], unnamed)
        yield found


def unpack(archive: Path, folder: Path, unnamed: list[str] | None = None) -> None:
    """Unpack a zip archive into a folder; everything is checked before anything is written.

    unnamed: takes the files whose names are too long for this system, which are then left out.
    Errors: ``UserError`` for what is no whole archive, unpacks to too much, or holds a place outside the folder, a
    link, a locked or doubled file; ``OSError``.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            files = _checked(archive, opened.infolist())
            folder.mkdir(parents=True, exist_ok=True)
            for parts, info in files.items():
                target = folder.joinpath(*parts)
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with opened.open(info) as packed, target.open("wb") as file:
                        shutil.copyfileobj(packed, file, _PIECE)
                except OSError as error:
                    if unnamed is None or error.errno != errno.ENAMETOOLONG:
                        raise
                    unnamed.append(info.filename)
    except UserError:
        raise
    except Exception as error:  # each form of compression has errors of its own
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # that one: a place before the file's beginning
            raise
        raise UserError(f"{archive} is no whole ZIP archive ({error}); it is not used", hint=_HINT) from error


_HINT = "unpack it yourself and give the folder"

TOO_LONG = UserError("its name is too long for this system", hint="give the file another name")
"""What is said of ``unnamed`` files."""


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in {b"PK\3\4", b"PK\5\6"}


def _checked(archive: Path, members: Sequence[zipfile.ZipInfo]) -> dict[tuple[str, ...], zipfile.ZipInfo]:
    """The files of an archive by the parts of their places."""
    places = [(_place(archive, member), member) for member in members]
    plain = [(parts, member) for parts, member in places if not member.is_dir()]
    files = dict(plain)
    if len(files) < len(plain):
        raise _unsafe(archive, "a file twice")
    size = sum(member.file_size for member in files.values())
    if size > LARGEST or (size > _HARMLESS and size > MOST_TIMES * archive.stat().st_size):
        raise _unsafe(archive, f"{size:,} bytes, which is too much")
    return files


def _place(archive: Path, member: zipfile.ZipInfo) -> tuple[str, ...]:
    """Parts of the place of a member. Errors: ``UserError`` where it is no plain file or folder inside the archive."""
    place = member.filename
    parts = tuple(part for part in re.split(r"[/\\]", place) if part not in ("", "."))
    if place.startswith(("/", "\\")) or ".." in parts or not parts or re.match("[A-Za-z]:", parts[0]):
        raise _unsafe(archive, f"the place {place!r} outside it")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe(archive, f"{place!r}, which is a link or a device")
    if member.flag_bits & 1:
        raise _unsafe(archive, f"{place!r}, which is locked by a password")
    return parts


def _unsafe(archive: Path, what: str) -> UserError:
    return UserError(f"{archive} holds {what}; it is not unpacked", hint=_HINT)
