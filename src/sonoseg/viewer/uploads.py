"""What came over the network: bytes under a name that is only shown, read as any file is."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from sonoseg.errors import UserError
from sonoseg.images import reading
from sonoseg.images.image import Item
from sonoseg.viewer import volumes
from sonoseg.viewer.refusals import BadUpload
from sonoseg.viewer.settings import Settings

_LONGEST = 200

_DICOM = b"DICM"

_SLICES = 16
"""So many bytes for each pixel of the largest picture may a volume have."""


def items(content: bytes, settings: Settings, spacing: tuple[float, float] | None = None) -> Iterator[Item]:
    """Read a file image by image. Errors: ``BadUpload`` as its reader raises it, and for more than may come."""
    if volumes.is_volume(content):
        yield from volumes.items(volumes.read(content, volume_limit(settings)), spacing)
        return
    with lying(content) as path:
        for item in reading.read(path, spacing, settings.pixels):
            if max(item.number, item.of or 0) > settings.frames:
                raise BadUpload(f"the file has more than {settings.frames:,} frames", "send it in parts")
            yield item


def volume_limit(settings: Settings) -> int:
    """Bytes that the values of a volume may have."""
    return settings.pixels * _SLICES


@contextmanager
def lying(content: bytes) -> Iterator[Path]:
    """Let a file lie under a name of ours while it is read; the sender's name is never a path.

    Errors: ``BadUpload`` for each ``UserError``, without the path.
    """
    with TemporaryDirectory(prefix="sonoseg-") as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        try:
            yield path
        except UserError as error:
            raise BadUpload(str(error).replace(str(path), "the file"), error.hint) from error


def shown(name: str | None) -> str:
    """A sender's name as text: its last part, without what does not print, not too long."""
    last = re.split(r"[/\\]", name or "")[-1]
    kept = "".join(character for character in last if character.isprintable()).strip()
    return kept[:_LONGEST] or "unnamed"


def stem(number: int, name: str) -> str:
    """A file name, without suffix, for what is written about a case: its number and what is harmless of its name."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name.rpartition(".")[0] or name).strip("-")[:60]
    return f"{number:04}-{safe}" if safe else f"{number:04}"


def series_of(content: bytes) -> str:
    """SeriesInstanceUID of a DICOM file; empty for another file, and without pydicom."""
    if content[128:132] != _DICOM:
        return ""
    with suppress(ImportError, BadUpload), lying(content) as path:  # a damaged header is told by its reader
        from sonoseg.images.dicom.objects import opened

        with opened(path) as (header, _):
            return str(header.get("SeriesInstanceUID", ""))
    return ""
