"""Ultrasound without its patient: tags by the basic profile, pixels outside the ultrasound regions blanked."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import JPEGLSLosslessEncoder
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless

from sonoseg import __version__
from sonoseg.delivery.dicom.profile import Replacer
from sonoseg.errors import UserError
from sonoseg.files import replacing
from sonoseg.images.dicom import codecs
from sonoseg.images.dicom.frames import check
from sonoseg.images.dicom.objects import Pixels, opened, quiet, syntax
from sonoseg.images.dicom.regions import Regions
from sonoseg.images.dicom.tones import Samples, Tones, tones
from sonoseg.images.image import Window
from sonoseg.images.marks import MARK_SCORE, score
from sonoseg.images.pictures import MAX_PIXELS

NO_REGIONS = "it has no ultrasound regions, so that nothing of its pixels was blanked; look at it"
SOME_WITHOUT = "some of its frames have no ultrasound regions, so that nothing of them was blanked; look at it"
BURNED_IN = "Burned In Annotation says YES; look at what remains within its ultrasound regions"
TEXT = "text or marks remain within its ultrasound regions; look at it"

_METHOD = f"sonoseg {__version__}, PS3.15 basic profile"
_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_PIXELS_CLEANED = ("113101", "Clean Pixel Data Option")

_MARGIN = 24
"""Rows that the search for text passes over at the top of what it is given."""


@dataclass(frozen=True)
class Cleaned:
    """What was written of one file. warnings: on what a person should look at, each the end of a sentence."""

    path: Path
    warnings: tuple[str, ...]


def deidentify(source: Path, target: Path, replacer: Replacer, max_pixels: int = MAX_PIXELS) -> Cleaned:
    """Write an ultrasound object without its patient, whole or not at all; pixels stay what they were, or nothing.

    Errors: ``UserError`` for what is no ultrasound that can be read.
    """
    with opened(source) as (header, pixels):
        try:
            with quiet():
                warnings = _rewrite(header, check(header, pixels, source, max_pixels), source, target, replacer)
        except UserError:
            raise
        except Exception as error:  # what is damaged can raise nearly anything; errors of the system have a number
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise UserError(
                f"{source} cannot be rewritten ({type(error).__name__}); it may be damaged", hint="export it again"
            ) from error
    return Cleaned(target, warnings)


def _rewrite(header: Dataset, pixels: Pixels, source: Path, target: Path, replacer: Replacer) -> tuple[str, ...]:
    regions, grey = Regions(header, str(source)), tones(header, str(source))
    count = int(header.get("NumberOfFrames") or 1)
    searched, has_text, black = {0, count // 2, count - 1}, False, _black(header, grey)
    blanked = list[bool]()
    with tempfile.TemporaryFile() as spool:
        frames = _Frames(header, cast(BufferedIOBase, spool))
        for number, (samples, model) in enumerate(
            codecs.frames(header, pixels, str(source), header.Rows * header.Columns)
        ):
            windows = regions.shown(number)
            blanked.append(bool(windows))
            frames.add(_blanked(samples, windows, black.get(model, black[""])), model)
            if number in searched and not has_text:
                has_text = _has_text(grey(samples, model).pixels, windows)
        cleaned = replacer.clean(header)
        frames.finish(cleaned)
        if "NumberOfFrames" in cleaned:
            cleaned.NumberOfFrames = len(blanked)
        warnings = _warnings(header, blanked, has_text)
        _record(cleaned, blanked=all(blanked))
        cleaned.file_meta = FileMetaDataset()
        cleaned.file_meta.TransferSyntaxUID = frames.syntax
        with replacing(target) as temporary:
            cleaned.save_as(temporary, enforce_file_format=True)
    return warnings


class _Frames:
    """Frames on their way into another object: native ones as they are, all others as JPEG-LS without loss."""

    def __init__(self, header: Dataset, spool: BufferedIOBase) -> None:
        self._header, self._spool = header, spool
        self._coded: list[bytes] = []
        self._model, self._bytes = "", 1
        self.syntax: UID = JPEGLSLossless if syntax(header).is_encapsulated else ExplicitVRLittleEndian

    def add(self, samples: Samples, model: str) -> None:
        """Take the next frame."""
        self._model, self._bytes = model, samples.dtype.itemsize
        if self.syntax == ExplicitVRLittleEndian:
            self._spool.write(samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes())
            return
        self._coded.append(
            JPEGLSLosslessEncoder.encode(
                np.ascontiguousarray(samples), rows=samples.shape[0], columns=samples.shape[1],
                samples_per_pixel=1 if samples.ndim == 2 else 3, bits_allocated=8 * self._bytes,
                bits_stored=self._bits, pixel_representation=self._signed, number_of_frames=1,
                photometric_interpretation=model, planar_configuration=0,
            )
        )  # fmt: skip

    @property
    def _bits(self) -> int:
        return min(int(self._header.BitsStored), 8 * self._bytes)

    @property
    def _signed(self) -> int:
        return int(self._header.get("PixelRepresentation") or 0)

    def finish(self, made: Dataset) -> None:
        """Put the frames into the object, with what it has to say of them."""
        colour = self._model in {"RGB", "YBR_FULL"}
        made.PhotometricInterpretation, made.SamplesPerPixel = self._model, 3 if colour else 1
        made.BitsAllocated, made.BitsStored, made.HighBit = 8 * self._bytes, self._bits, self._bits - 1
        made.PixelRepresentation = self._signed
        if colour:
            made.PlanarConfiguration = 0
        elif "PlanarConfiguration" in made:
            del made.PlanarConfiguration
        for key in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            made.pop(key, None)
        if self._coded:
            made.PixelData = encapsulate(self._coded)
        else:
            self._spool.write(bytes(self._spool.tell() % 2))
            self._spool.seek(0)
            made.PixelData = self._spool
        made["PixelData"].VR = "OB" if self._bytes == 1 or self._coded else "OW"


def _blanked(samples: Samples, windows: Sequence[Window], black: NDArray[np.generic]) -> Samples:
    if not windows:
        return samples
    left = np.empty_like(samples)
    left[:] = black
    for window in windows:
        left[window.part] = samples[window.part]
    return left


def _black(header: Dataset, grey: Tones) -> dict[str, Samples]:
    """The sample that looks black, by colour model; "" is every one of a single sample."""
    stored = np.arange(1 << int(header.BitsStored), dtype=np.uint16)
    darkest = 0 if int(header.SamplesPerPixel) == 3 else int(grey(stored[None], "").pixels.argmin())
    return {"RGB": np.array((0, 0, 0)), "YBR_FULL": np.array((0, 128, 128)), "": np.array(darkest)}


def _has_text(shown: NDArray[np.uint8], windows: Sequence[Window]) -> bool:
    """Whether letters or marks stand where pixels were kept."""
    for window in windows or (Window(0, 0, *shown.shape),):
        part = shown[window.part]
        above = max(_MARGIN, part.shape[0] // 10)
        if score(np.pad(part, ((above, 4), (4, 4)))) >= MARK_SCORE:
            return True
    return False


def _warnings(header: Dataset, blanked: Sequence[bool], has_text: bool) -> tuple[str, ...]:
    """blanked: whether each frame was."""
    given = {
        NO_REGIONS: not any(blanked),
        SOME_WITHOUT: any(blanked) and not all(blanked),
        BURNED_IN: str(header.get("BurnedInAnnotation", "")) == "YES",
        TEXT: has_text,
    }
    return tuple(warning for warning, is_given in given.items() if is_given)


def _record(made: Dataset, blanked: bool) -> None:
    """Say what was done, in the tags that the standard has for it (PS3.3 C.7.1.1, C.12.1.1)."""
    made.PatientIdentityRemoved = "YES"
    made.LongitudinalTemporalInformationModified = "REMOVED"
    made.DeidentificationMethod = _METHOD
    made.DeidentificationMethodCodeSequence = [_code(*_PROFILE)] + [_code(*_PIXELS_CLEANED)] * blanked


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code
