"""Scans and masks as volumes, as 3D Slicer and OHIF send and take them: slices behind each other, columns first."""

import gzip
import io
import logging
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import nrrd
import numpy as np
from numpy.typing import NDArray

from sonoseg.images.image import Item
from sonoseg.images.pictures import from_array
from sonoseg.images.reading import PLAUSIBLE, as_image
from sonoseg.viewer.refusals import BadUpload

Spacing = tuple[float, float] | None

_GZIP, _NRRD = b"\x1f\x8b", b"NRRD"
_HEAD = 348
_WIDEST = 8  # bytes of a value
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NIfTI points from left to right and from back to front, what we write as NRRD the other way."""

logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # it tells of headers that it mends


@dataclass(frozen=True)
class Volume:
    """slices: ``(N, H, W)``, or ``uint8 (N, H, W, 3)``. affine: ``(4, 4)``, (column, row, slice) -> mm, as in NIfTI."""

    slices: NDArray[np.generic]
    affine: NDArray[np.float64]

    @property
    def spacing(self) -> Spacing:
        """(Row, column) in mm; None for 1 mm, which stands where nobody knows, and for what no scan can have."""
        column, row = (float(np.linalg.norm(self.affine[:3, axis])) for axis in (0, 1))
        height, width = self.slices.shape[1:3]
        likely = all(PLAUSIBLE[0] <= side <= PLAUSIBLE[1] for side in (row * height, column * width))
        return (row, column) if likely and (row, column) != (1.0, 1.0) else None


def plane(spacing: Spacing) -> NDArray[np.float64]:
    """Affine of frames that lie a millimetre from each other; without a spacing a pixel is 1 mm, as Slicer has it."""
    row, column = spacing or (1.0, 1.0)
    return np.diag([-column, -row, 1.0, 1.0])


def is_volume(content: bytes) -> bool:
    """Whether a file begins as NRRD or NIfTI do."""
    head = content[:_HEAD]
    if head[:2] == _GZIP:
        try:
            with gzip.open(io.BytesIO(content)) as file:
                head = file.read(_HEAD)
        except (OSError, EOFError, zlib.error):
            return False
    return head[:4] == _NRRD or head[344:347] in {b"n+1", b"ni1"}


def read(content: bytes, limit: int) -> Volume:
    """Read NIfTI, compressed or not, or NRRD. Errors: ``BadUpload``, also for over ``limit`` bytes of values."""
    try:
        return _read_nrrd(content, limit) if content[:4] == _NRRD else _read_nifti(content, limit)
    except BadUpload:
        raise
    except Exception as error:  # a broken file can raise nearly anything in a parser
        raise BadUpload("the file is not a volume that can be read", hint="send .nii.gz, .nii or .nrrd") from error


def items(volume: Volume, spacing: Spacing = None) -> Iterator[Item]:
    """Give the slices as images, all scaled alike; spacing: (row, column) in mm, before the volume's own.

    Errors: ``UserError`` for values that mean no brightness, and for slices that are too small.
    """
    count, height, width = volume.slices.shape[:3]
    slices: Sequence[NDArray[Any]] | NDArray[Any] = volume.slices
    if volume.slices.ndim == 3:
        slices = from_array(_whole(volume.slices.reshape(-1, width))).pixels.reshape(count, height, width)
    for number, pixels in enumerate(slices, 1):
        yield Item(as_image(pixels, spacing or volume.spacing), number, count)


def labels(content: bytes, shape: tuple[int, int, int], limit: int) -> NDArray[np.bool_]:
    """Read what was drawn on a scan of ``shape``, (N, H, W): a volume, or bare 16-bit values as OHIF sends them.

    All labels count as lesion. Errors: ``BadUpload``.
    """
    if not is_volume(content) and len(content) == 2 * math.prod(shape):
        return np.frombuffer(content, "<u2").reshape(shape) > 0
    slices: NDArray[Any] = read(content, limit).slices
    if slices.shape != shape:
        found, wanted = (" x ".join(map(str, reversed(each))) for each in (slices.shape, shape))
        raise BadUpload(f"the label has {found} pixels, its image {wanted}", hint="send it in its image's own size")
    return np.asarray(slices > 0)


def nifti(values: NDArray[np.generic], affine: NDArray[np.float64]) -> bytes:
    """Write ``(N, H, W)`` as ``.nii.gz``."""
    image = nibabel.Nifti1Image(  # type: ignore[no-untyped-call]
        np.ascontiguousarray(values.transpose(2, 1, 0)), affine
    )
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def plain_nrrd(values: NDArray[np.generic], affine: NDArray[np.float64]) -> bytes:
    """Write ``(N, H, W)`` as uncompressed NRRD, which is all that OHIF reads."""
    flipped = _FLIP @ affine
    header = {
        "space": "left-posterior-superior",
        "space directions": flipped[:3, :3].T + 0.0,
        "space origin": flipped[:3, 3] + 0.0,
        "kinds": ["domain", "domain", "domain"],
        "encoding": "raw",
    }
    buffer = io.BytesIO()
    nrrd.write(buffer, np.asfortranarray(values.transpose(2, 1, 0)), header, index_order="F")
    head, _, data = buffer.getvalue().partition(b"\n\n")
    said = [line for line in head.split(b"\n") if not line.startswith(b"#")]  # pynrrd writes the time into a comment
    return b"\n".join(said) + b"\n\n" + data


def _read_nrrd(content: bytes, limit: int) -> Volume:
    file = io.BytesIO(content)
    header = nrrd.read_header(file)
    if "data file" in header or "datafile" in header:
        raise BadUpload("the NRRD header names another file", hint="send one file with its data")
    size = _checked(header["sizes"], limit)
    if header["encoding"] in {"gzip", "gz"}:  # pynrrd would unpack whatever comes
        file = io.BytesIO(zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(file.read(), size))
        header["encoding"] = "raw"
    if header["encoding"] != "raw":
        raise BadUpload(f"the NRRD encoding {header['encoding']} is not read", hint="save it as raw or gzip")
    values = nrrd.read_data(header, file, index_order="F")
    affine = np.eye(4)
    directions = np.asarray(header.get("space directions", np.eye(values.ndim)), float)
    finite = directions[np.isfinite(directions).all(axis=1)][:3, :3]
    affine[: finite.shape[1], : finite.shape[0]] = finite.T
    affine[:3, 3] = np.resize(np.asarray(header.get("space origin", np.zeros(3)), float), 3)
    coloured = values.ndim > 2 and not np.isfinite(directions).all(axis=1)[0]
    affine = affine if header.get("space", "") == "right-anterior-superior" else _FLIP @ affine
    return _volume(np.moveaxis(values, 0, -1) if coloured else values, affine, coloured)


def _read_nifti(content: bytes, limit: int) -> Volume:
    with TemporaryDirectory(prefix="sonoseg-") as folder:
        path = Path(folder) / ("volume.nii.gz" if content[:2] == _GZIP else "volume.nii")
        path.write_bytes(content)
        image: Any = nibabel.load(path)
        _checked(image.shape, limit)
        values = np.asanyarray(image.dataobj)
        coloured = bool(values.dtype.names) or values.ndim == 5
        if values.dtype.names:
            values = np.stack([values[name] for name in values.dtype.names], axis=-1)
        return _volume(values, np.asarray(image.affine, np.float64), coloured)


def _volume(values: NDArray[Any], affine: NDArray[np.float64], coloured: bool) -> Volume:
    """values: (column, row, ...), the last axis of colours where there are any."""
    if not np.isfinite(affine).all():
        affine = plane(None)
    if not coloured:
        values = values.reshape(values.shape[0], values.shape[1] if values.ndim > 1 else 1, -1)
        return Volume(np.ascontiguousarray(values.transpose(2, 1, 0)), affine)
    if values.dtype != np.uint8 or values.shape[-1] not in {3, 4}:
        raise BadUpload(f"the volume holds {values.shape[-1]} values of {values.dtype} a pixel", hint="send it grey")
    slices = values.reshape(*values.shape[:2], -1, values.shape[-1])[..., :3]
    return Volume(np.ascontiguousarray(slices.transpose(2, 1, 0, 3)), affine)


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers as such, where a program keeps them as floats."""
    if values.dtype.kind == "f" and np.isfinite(values).all() and 1 < values.max() < 1 << 31 and values.min() >= 0:
        rounded = np.rint(values)
        return rounded.astype(np.uint32) if np.array_equal(rounded, values) else values
    return values


def _checked(sizes: Iterable[Any], limit: int) -> int:
    """Bytes that so many values take at most. Errors: ``BadUpload`` for over ``limit``."""
    sides = [int(side) for side in sizes]
    size = math.prod(sides) * _WIDEST
    if not 0 < size <= limit:
        claimed = " x ".join(map(str, sides))
        raise BadUpload(f"the volume has {claimed} values; {limit // _WIDEST:,} are allowed", hint="send a smaller one")
    return size
