"""DICOM ultrasound -> Image: objects, codecs, tones, regions, frames, which need the extra ``dicom``."""

from collections.abc import Iterator
from pathlib import Path

from sonoseg.errors import UserError
from sonoseg.images.pictures import MAX_PIXELS, Item

SUFFIXES = (".dcm", ".dicom")


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with ``head``, its first bytes, is of DICOM's file format (PS3.10)."""
    return head[128:132] == b"DICM"


def read_dicom(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Item]:
    """Read an ultrasound object frame by frame by ``frames.read_frames``. Errors: its own, and without the extra."""
    need_dicom()
    from sonoseg.images.dicom.frames import read_frames

    yield from read_frames(path, max_pixels)


def need_dicom() -> None:
    """Refuse work where the extra ``dicom`` is not installed. Errors: ``UserError`` with what installs it."""
    try:
        import gdcm  # noqa: F401
        import highdicom  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"DICOM needs {error.name}, which is not installed", hint='pip install "sonoseg[dicom]"'
        ) from error
