"""Frames decoded one by one: native, JPEG, JPEG Lossless, JPEG-LS, JPEG 2000, RLE and MPEG-4.

Baseline JPEG and clips are decoded here, as pictures and clips outside DICOM are; other compiled decoders run apart.
"""

import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, generate_frames
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID

from sonoseg.errors import UserError
from sonoseg.images import clips
from sonoseg.images.dicom import apart
from sonoseg.images.dicom.objects import Pixels, syntax, unread
from sonoseg.images.dicom.tones import Samples

_DECODERS = {
    uid.ImplicitVRLittleEndian: "",
    uid.ExplicitVRLittleEndian: "",
    uid.ExplicitVRBigEndian: "",
    uid.DeflatedExplicitVRLittleEndian: "",
    uid.JPEGExtended12Bit: "gdcm",
    uid.JPEGLossless: "gdcm",
    uid.JPEGLosslessSV1: "gdcm",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pillow",
    uid.JPEG2000: "pillow",
    uid.RLELossless: "pydicom",
}
"""Which of pydicom's decoders is used; others that happen to be installed are not, so that answers do not differ."""

_APART = {"gdcm", "pyjpegls", "pillow"}
"""Those of compiled code, which run in a process of their own."""

_MPEG = re.compile(r"1\.2\.840\.10008\.1\.2\.4\.10[0-8](\.1)?")

_ASCII_RGB = ([82, 71, 66], [114, 103, 98])
"""Component numbers of JPEG that spell the colours."""


def frames(header: Dataset, pixels: Pixels, source: str, max_pixels: int) -> Iterator[tuple[Samples, str]]:
    """Decode frame after frame: samples ``(H, W)`` or ``(H, W, 3)`` and their colour model.

    Errors: ``UserError`` for a transfer syntax that is not read, and where a frame lacks or is of another size.
    """
    transfer_syntax, count = syntax(header), int(header.get("NumberOfFrames") or 1)
    if _MPEG.fullmatch(transfer_syntax):
        return _counted(_moving(pixels, source, max_pixels), count, source, spare=1)
    if transfer_syntax == uid.JPEGBaseline8Bit or (transfer_syntax == uid.JPEGExtended12Bit and not _is_deep(header)):
        return _counted(_jpeg(header, pixels, count, source), count, source)
    if transfer_syntax not in _DECODERS:
        raise unread(source, transfer_syntax.name)
    return _counted(_decoded(header, pixels, transfer_syntax, source), count, source)


def _decoded(header: Dataset, pixels: Pixels, transfer_syntax: UID, source: str) -> Iterator[tuple[Samples, str]]:
    options = as_pixel_options(header, pixel_keyword="PixelData", pixel_vr=pixels.vr or "OW")
    decoder, start = get_decoder(transfer_syntax), pixels.file.tell()
    plugin, count = _DECODERS[transfer_syntax], options["number_of_frames"]
    if not transfer_syntax.is_encapsulated:
        _check_length(header, pixels, source)
        for index in range(count):  # pydicom's own loop forgets that YBR_FULL_422 is to be expanded
            pixels.file.seek(start)
            samples, told = decoder.as_array(pixels.file, index=index, raw=True, **options)
            yield samples, str(told["photometric_interpretation"])
        return
    for frame in generate_frames(pixels.file, number_of_frames=count):
        _check_size(frame, header, source)
    pixels.file.seek(start)
    if plugin in _APART:
        yield from apart.decode(generate_frames(pixels.file, number_of_frames=count), transfer_syntax, plugin, options)
        return
    for samples, told in decoder.iter_array(pixels.file, raw=True, decoding_plugin=plugin, **options):
        yield samples, str(told["photometric_interpretation"])


def _jpeg(header: Dataset, pixels: Pixels, count: int, source: str) -> Iterator[tuple[Samples, str]]:
    """JPEG of 8 bits, by Pillow, which knows of YCbCr in a file that says RGB."""
    if int(header.BitsStored) != 8:
        raise UserError(
            f"{source} is JPEG of {header.BitsStored} bits; 8 are read, and 12 as JPEG Extended in grey",
            hint="export it uncompressed",
        )
    for frame in generate_frames(pixels.file, number_of_frames=count):
        _check_size(frame, header, source)
        with PIL.Image.open(io.BytesIO(frame), formats=("JPEG",)) as picture:
            if picture.mode == "L":
                yield np.asarray(picture), "MONOCHROME2"
                continue
            if header.PhotometricInterpretation == "RGB" and _is_rgb(picture):
                picture.draft("YCbCr", picture.size)  # which only says that nothing shall be transformed
                yield np.asarray(picture), "RGB"
            else:
                yield np.asarray(picture.convert("RGB")), "RGB"


def _is_deep(header: Dataset) -> bool:
    """Whether it is of 12 bits in grey, which Pillow does not read."""
    return int(header.BitsStored) == 12 and header.SamplesPerPixel == 1


def _is_rgb(picture: PIL.Image.Image) -> bool:
    """Whether a JPEG that is said to be RGB is, where neither JFIF nor Adobe says what it is.

    Components 1, 2, 3 are YCbCr by the custom of all JPEG writers, and so are those of different sizes; see pydicom's
    pull request 2280.
    """
    layers = getattr(picture, "layer", [])
    numbers = [layer[0] for layer in layers]
    if "jfif" in picture.info or "adobe_transform" in picture.info or numbers in _ASCII_RGB:
        return False  # libjpeg knows what to do
    return numbers != [1, 2, 3] and len({layer[1:3] for layer in layers}) == 1


def _moving(pixels: Pixels, source: str, max_pixels: int) -> Iterator[tuple[Samples, str]]:
    """A stream of MPEG-2, MPEG-4 or HEVC, which may hold a frame less than is said."""
    stream = io.BytesIO(b"".join(islice(generate_fragments(pixels.file), 1, None)))
    for item in clips.read_clip(Path(source), max_pixels, stream):
        yield item.image.pixels, "MONOCHROME2"


def _counted(
    found: Iterator[tuple[Samples, str]], count: int, source: str, spare: int = 0
) -> Iterator[tuple[Samples, str]]:
    """spare: so many may lack, but not all."""
    done = 0
    for frame in islice(found, count):
        yield frame
        done += 1
    if done < max(count - spare, 1):
        raise UserError(f"{source} holds {done} of the {count} frames that it says", hint="copy or download it again")


def _check_length(header: Dataset, pixels: Pixels, source: str) -> None:
    """Refuse native pixels that end too early, before the first is predicted."""
    share = 2 if header.PhotometricInterpretation == "YBR_FULL_422" else 3
    samples = int(header.Rows) * int(header.Columns) * (share if header.get("SamplesPerPixel") == 3 else 1)
    wanted = samples * int(header.BitsAllocated) // 8 * int(header.get("NumberOfFrames") or 1)
    here = pixels.file.tell()
    there = pixels.file.seek(0, io.SEEK_END) - here
    pixels.file.seek(here)
    length = there if pixels.length is None else min(there, pixels.length)
    if length < wanted:
        raise UserError(
            f"{source} holds {length:,} bytes of pixels; its frames need {wanted:,}", hint="copy or download it again"
        )


def _check_size(frame: bytes, header: Dataset, source: str) -> None:
    """Refuse a code stream of another size than the header says, before a decoder makes room for it."""
    declared = _declared(frame)
    if declared and declared != (header.Rows, header.Columns):
        height, width = declared
        raise UserError(
            f"{source} says {header.Columns} x {header.Rows} pixels and holds a frame of {width} x {height}",
            hint="export it again",
        )


def _declared(frame: bytes) -> tuple[int, int] | None:
    """(rows, columns) in the first bytes of a code stream of JPEG, JPEG-LS or JPEG 2000; None for others."""
    if frame[:4] == b"\xff\x4f\xff\x51":
        right, low, left, top = (int.from_bytes(frame[at : at + 4], "big") for at in (8, 12, 16, 20))
        return low - top, right - left
    at = 2
    while frame[:2] == b"\xff\xd8" and frame[at : at + 1] == b"\xff" and at + 9 <= len(frame):
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if (0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}) or marker == 0xF7:
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        at += 1 if marker == 0xFF else 2 + length
    return None
