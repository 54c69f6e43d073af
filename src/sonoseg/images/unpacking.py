"""Zip archives, unpacked for as long as their files are read."""

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


@contextmanager
def unpacked(inputs: Sequence[Path], beside: bool) -> Iterator[list[Path]]:
    """Give the same paths, with folders of their files in place of zip archives, which go away when the block ends.

    beside: whether outputs are to stand beside the files. Errors: ``UserError`` for an archive that is damaged, locked
    or unpacks to too much, and for one where outputs are to stand beside its files.
    """
    with tempfile.TemporaryDirectory(prefix="sonoseg-") as folder:
        found = []
        for number, path in enumerate(inputs):
            if not (path.is_file() and _is_zip(path)):
                found.append(path)
                continue
            if beside:
                raise UserError(f"{path} is an archive; its outputs need a folder", hint="give --out FOLDER")
            place = Path(folder) / str(number) / path.stem
            _unpack(path, place)
            found.append(place)
        yield found


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in {b"PK\3\4", b"PK\5\6"}


def _unpack(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            size = sum(member.file_size for member in members)
            if size > LARGEST or (size > _HARMLESS and size > MOST_TIMES * path.stat().st_size):
                raise UserError(f"{path} unpacks to {size:,} bytes; that is too much", hint="unpack it yourself")
            for member in members:
                archive.extract(member, folder)  # which cannot leave the folder
    except UserError:
        raise
    except Exception as error:  # a broken archive can raise nearly anything
        raise UserError(
            f"{path} cannot be unpacked ({type(error).__name__}: {error}); it may be damaged or locked with a password",
            hint="unpack it yourself and give the folder",
        ) from error
