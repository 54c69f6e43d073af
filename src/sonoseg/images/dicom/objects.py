"""DICOM files opened and checked: what an object says of itself, without its pixels, and where these begin."""

import io
import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pydicom
import pydicom.config
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from sonoseg.errors import UserError

ULTRASOUND = {
    "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3",
}  # fmt: skip
"""US and US Multi-frame Image Storage, and the retired ones of both."""

_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""Secondary captures; read where their modality is US."""

MANUFACTURER = "Sonoseg"
"""Of every object that is written, by which one's own are known again."""

_PIXELS = 0x7FE0_0010

_MOST_INFLATED = 1 << 30
"""Bytes of a deflated object, which is held in memory as a whole."""

# What these libraries log and warn of quotes the file, and with it a patient.
for _library in ("pydicom", "highdicom", "pynetdicom", "dicomweb_client", "retrying", "urllib3"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


@dataclass(frozen=True)
class Pixels:
    """Where the pixels of a file begin: an open file at the first byte of their value, of ``length`` bytes.

    length is None where it is not defined, as in encapsulated pixels. vr: "OB", "OW", or "" where it is implicit.
    """

    file: BinaryIO
    length: int | None
    vr: str


@contextmanager
def opened(path: Path) -> Iterator[tuple[Dataset, Pixels | None]]:
    """Open a DICOM file: all that stands before its pixels, and where they begin, None where there are none.

    Nothing of what the file says is told to anybody: warnings and messages of the library would hold names.
    Errors: ``UserError`` for what is no DICOM or damaged.
    """
    with path.open("rb") as file:
        try:
            with quiet():
                _check_inflated(file, path)
                header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
                if "SOPClassUID" not in header and "DirectoryRecordSequence" not in header:
                    raise UserError(f"{path} is no DICOM object", hint="give a DICOM file, a picture or a clip")
                pixels = _pixels(file, _known(syntax(header), path))
        except UserError:
            raise
        except Exception as error:  # a broken file can raise nearly anything in a parser
            raise UserError(
                f"{path} is not readable as DICOM ({type(error).__name__}); it may be truncated or damaged",
                hint="copy or download it again",
            ) from error
        yield header, pixels


def read_object(path: Path, pixels: bool = True) -> Dataset:
    """Read a DICOM object of any kind, to be passed on as it is. Errors: ``UserError`` for what cannot be."""
    if not path.is_file():  # reading a pipe or a device might never end
        found = "is not a file" if path.exists() else "does not exist"
        raise UserError(f"{path} {found}; a DICOM file is needed", hint="check the path")
    try:
        with quiet():
            data = pydicom.dcmread(path, stop_before_pixels=not pixels)
        whole = all((data.get("SOPClassUID"), data.get("SOPInstanceUID"), data.file_meta.get("TransferSyntaxUID")))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})", hint="make it readable") from error
    except Exception:  # a broken file can raise nearly anything in a parser
        whole = False
    if not whole:
        raise UserError(f"{path} is damaged, or no DICOM object", hint="copy or download it again")
    return data


def listed(path: Path) -> list[Path]:
    """Images that a DICOMDIR lists and that stand beside or below it. Errors: ``UserError`` where there is none."""
    with opened(path) as (header, _):
        found = []
        for record in header.get("DirectoryRecordSequence") or []:
            parts = record.get("ReferencedFileID")
            if record.get("DirectoryRecordType") != "IMAGE" or not parts:
                continue
            names = [parts] if isinstance(parts, str) else [str(part) for part in parts]
            file = path.parent.joinpath(*names)
            if ".." not in names and file.is_relative_to(path.parent) and file.is_file():
                found.append(file)
    if not found:
        raise UserError(f"{path} lists no image that is there", hint="give the folder with the images")
    return list(dict.fromkeys(found))


@contextmanager
def quiet() -> Iterator[None]:
    """Let pydicom warn of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def syntax(header: Dataset) -> UID:
    """The transfer syntax; where the file does not say, that of how it was read."""
    meta = getattr(header, "file_meta", None)
    said = meta.get("TransferSyntaxUID") if meta is not None else None
    if said:
        return UID(str(said))
    implicit, _ = header.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def unread(source: str, name: str) -> UserError:
    """What is said of a transfer syntax that is not read."""
    return UserError(
        f"{source} has a transfer syntax that is not read: {name}",
        hint="export it uncompressed, or as JPEG, JPEG-LS, JPEG 2000 or RLE",
    )


def check_ultrasound(header: Dataset, path: Path) -> None:
    """Refuse what is no ultrasound, and pictures made of it here. Errors: ``UserError`` naming the kind of object."""
    kind = UID(str(header.SOPClassUID))
    is_capture = kind.startswith(_CAPTURES) and header.get("Modality") == "US"
    if kind not in ULTRASOUND and not is_capture:
        name = kind.name if kind.name != kind else "an object of an unknown kind"
        raise UserError(
            f"{path} is {name}; US Image and US Multi-frame Image are read",
            hint="give the ultrasound images of the study",
        )
    if is_capture and header.get("Manufacturer") == MANUFACTURER:
        raise UserError(f"{path} is a picture that sonoseg made of a scan", hint="give the scan itself")


def _known(transfer_syntax: UID, path: Path) -> UID:
    """Refuse a transfer syntax of which the standard knows nothing, so that nobody knows how to go through the file."""
    if transfer_syntax.is_private:
        raise unread(str(path), "a private one")
    if not transfer_syntax.is_transfer_syntax:
        raise unread(str(path), "one that is not known")
    return transfer_syntax


def _check_inflated(file: BinaryIO, path: Path) -> None:
    """Refuse a small file that inflates to more than memory holds."""
    read_preamble(file, force=True)
    meta = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while content := inflater.unconsumed_tail or file.read(1 << 20):
            size += len(inflater.decompress(content, 1 << 24))
            if size > _MOST_INFLATED:
                raise UserError(f"{path} inflates to more than {_MOST_INFLATED:,} bytes", hint="export it uncompressed")
    file.seek(0)


def _pixels(file: BinaryIO, transfer_syntax: UID) -> Pixels | None:
    """The file stands at the element of the pixels, or at its end."""
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        return _inflated(file)
    order = "little" if transfer_syntax.is_little_endian else "big"
    start = file.read(8)
    if len(start) < 8:
        return None
    tag = int.from_bytes(start[:2], order) << 16 | int.from_bytes(start[2:4], order)  # type: ignore[arg-type]
    if tag != _PIXELS:
        return None
    vr = "" if transfer_syntax.is_implicit_VR else start[4:6].decode("latin-1")
    length = int.from_bytes(file.read(4) if vr else start[4:], order)  # type: ignore[arg-type]
    return Pixels(file, None if length == 0xFFFF_FFFF else length, vr)


def _inflated(file: BinaryIO) -> Pixels | None:
    """A deflated file cannot be entered in the middle: all of it is read."""
    file.seek(0)
    whole = pydicom.dcmread(file, force=True)
    if "PixelData" not in whole:
        return None
    value = whole["PixelData"].value
    return Pixels(io.BytesIO(value), len(value), "OB")
