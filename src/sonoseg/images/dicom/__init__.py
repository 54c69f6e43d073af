"""DICOM ultrasound -> Image: objects, codecs, tones, regions, frames, which need the extra ``dicom``."""

from collections.abc import Iterator
from pathlib import Path

from sonoseg.errors import need
from sonoseg.images.image import Item
from sonoseg.images.pictures import MAX_PIXELS

SUFFIXES = (".dcm", ".dicom")

FROM_REGIONS = "Size of a pixel from the ultrasound regions."
FROM_SPACING = "Size of a pixel from Pixel Spacing: no ultrasound region says it."
UNKNOWN = "In pixels: the file has no ultrasound region in cm and no Pixel Spacing."
SCALE = {FROM_REGIONS, FROM_SPACING, UNKNOWN}
"""Notes on where the size of a pixel comes from, which do not hold where somebody gives another."""

_MODULES = ("pydicom", "highdicom", "gdcm", "jpeg_ls", "pynetdicom", "dicomweb_client", "dicomanonymizer")
"""That the extra ``dicom`` brings."""

_DIRECTORY = b"1.2.840.10008.1.3.10"
_DOCUMENTS = (
    b"1.2.840.10008.5.1.4.1.1.88.", b"1.2.840.10008.5.1.4.1.1.66.", b"1.2.840.10008.5.1.4.1.1.11.",
    b"1.2.840.10008.5.1.4.1.1.104.",
)  # fmt: skip
"""Begin the classes of reports, of segmentations and what is like them, of presentations, of wrapped documents."""


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins with ``head``, its first bytes, is of DICOM's file format (PS3.10)."""
    return head[128:132] == b"DICM"


def is_document(head: bytes) -> bool:
    """Whether it is what a study holds beside its images: reports, segmentations, presentations, a DICOMDIR."""
    return is_dicom(head) and any(kind in head for kind in (*_DOCUMENTS, _DIRECTORY))


def is_directory(head: bytes) -> bool:
    """Whether it is a DICOMDIR."""
    return is_dicom(head) and _DIRECTORY in head


def read_directory(path: Path) -> list[Path]:
    """Files that a DICOMDIR lists, as far as they are there. Errors: ``UserError``, also without the extra."""
    need_dicom()
    from sonoseg.images.dicom.objects import listed

    return listed(path)


def read_dicom(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Item]:
    """Read an ultrasound object frame by frame by ``frames.read_frames``. Errors: its own, and without the extra."""
    need_dicom()
    from sonoseg.images.dicom.frames import read_frames

    yield from read_frames(path, max_pixels)


def need_dicom() -> None:
    """Refuse work where the extra ``dicom`` is not installed. Errors: ``UserError`` with what installs it."""
    need("dicom", *_MODULES, by="DICOM")
