"""Masks as volumes: what 3D Slicer and OHIF read and write. Slices lie one behind the other, columns first."""

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nibabel
import nrrd
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from sonoseg.viewer.refusals import BadUpload

_COLOUR = "0 0.84 1"
_GZIP, _NRRD = b"\x1f\x8b", b"NRRD"
_BROKEN = (ImageFileError, nrrd.NRRDError, OSError, ValueError, KeyError, IndexError, EOFError, MemoryError, TypeError)


@dataclass(frozen=True)
class Volume:
    """slices: ``(N, H, W)``, or ``uint8 (N, H, W, 3)``. spacing: (row, column) in mm, as its header has it.

    header: of NRRD, or affine: of NIfTI, to give back with what is drawn.
    """

    slices: NDArray[np.generic]
    spacing: tuple[float, float]
    affine: NDArray[np.float64]


def read(content: bytes, limit: int) -> Volume:
    """Read a NIfTI file, compressed or not, or a NRRD file. Errors: ``BadUpload``, also for over ``limit`` bytes."""
    try:
        return _read_nrrd(content, limit) if content[:4] == _NRRD else _read_nifti(content, limit)
    except BadUpload:
        raise
    except _BROKEN as error:
        raise BadUpload("the file is not a volume that can be read", hint="send .nii.gz, .nii or .nrrd") from error


def is_volume(content: bytes) -> bool:
    """Whether a file begins as NRRD or NIfTI do."""
    head = content[:348]
    if head[:2] == _GZIP:
        try:
            with gzip.open(io.BytesIO(content)) as file:
                head = file.read(348)
        except (OSError, EOFError):
            return False
    return head[:4] == _NRRD or head[344:347] in {b"n+1", b"ni1"}


def nifti(labels: NDArray[np.uint8], affine: NDArray[np.float64]) -> bytes:
    """Write labels, ``uint8 (N, H, W)``, as ``.nii.gz`` with the affine of the image that they belong to."""
    image = nibabel.Nifti1Image(  # type: ignore[no-untyped-call]
        np.ascontiguousarray(labels.transpose(2, 1, 0)), affine
    )
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def plain_nrrd(labels: NDArray[np.uint16], affine: NDArray[np.float64]) -> bytes:
    """Write labels, ``uint16 (N, H, W)``, as uncompressed NRRD, which is all that OHIF reads."""
    return _nrrd(labels, {**_space(affine), "encoding": "raw"})


def segmentation(masks: NDArray[np.bool_], spacing: tuple[float, float] | None) -> bytes:
    """Write masks, ``bool (N, H, W)``, as ``.seg.nrrd``, which 3D Slicer opens as a segmentation.

    spacing: (row, column) in mm; without it a pixel is 1, as where Slicer opens the picture itself.
    """
    count, height, width = masks.shape
    row, column = spacing or (1.0, 1.0)
    # NIfTI points left to right, NRRD's space right to left.
    affine = np.diag([-column, -row, 1.0, 1.0])
    header = {
        **_space(affine),
        "encoding": "gzip",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
        "Segment0_ID": "lesion",
        "Segment0_Name": "lesion",
        "Segment0_Color": _COLOUR,
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
        "Segment0_Extent": f"0 {width - 1} 0 {height - 1} 0 {count - 1}",
        "Segment0_Tags": "TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^49755003^Morphologically Altered Structure~SCT^4147007^Mass~^^~Anatomic codes - DICOM master list"
        "~SCT^76752008^Breast~^^|",
    }
    return _nrrd(masks.astype(np.uint8), header)


def _space(affine: NDArray[np.float64]) -> dict[str, Any]:
    flipped = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    return {
        "space": "left-posterior-superior",
        "space directions": flipped[:3, :3].T + 0.0,
        "space origin": flipped[:3, 3] + 0.0,
        "kinds": ["domain", "domain", "domain"],
    }


def _nrrd(values: NDArray[Any], header: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    nrrd.write(buffer, np.asfortranarray(values.transpose(2, 1, 0)), header, index_order="F")
    head, _, data = buffer.getvalue().partition(b"\n\n")
    said = [line for line in head.split(b"\n") if not line.startswith(b"#")]  # pynrrd writes the time into a comment
    return b"\n".join(said) + b"\n\n" + data


def _read_nrrd(content: bytes, limit: int) -> Volume:
    file = io.BytesIO(content)
    header = nrrd.read_header(file)
    _check_size(header["sizes"], limit)
    if "data file" in header or "datafile" in header:
        raise BadUpload("the NRRD header names another file", hint="send one file with its data")
    values = nrrd.read_data(header, file, index_order="F")
    affine = np.eye(4)
    directions = np.asarray(header.get("space directions", np.eye(values.ndim)), float)
    finite = directions[np.isfinite(directions).all(axis=1)][:3, :3]
    affine[: finite.shape[1], : finite.shape[0]] = finite.T
    affine[:3, 3] = np.resize(np.asarray(header.get("space origin", np.zeros(3)), float), 3)
    if header.get("space", "") != "right-anterior-superior":
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    if values.ndim > 2 and not np.isfinite(directions).all(axis=1)[0]:
        values = np.moveaxis(values, 0, -1)
    return _volume(values, affine)


def _read_nifti(content: bytes, limit: int) -> Volume:
    with TemporaryDirectory(prefix="sonoseg-") as folder:
        path = Path(folder) / ("volume.nii.gz" if content[:2] == _GZIP else "volume.nii")
        path.write_bytes(content)
        image: Any = nibabel.load(path)
        _check_size(image.shape, limit)
        return _volume(np.asanyarray(image.dataobj), np.asarray(image.affine, np.float64))


def _volume(values: NDArray[Any], affine: NDArray[np.float64]) -> Volume:
    if values.dtype.names:  # RGB of NIfTI: a record of three
        values = np.stack([values[name] for name in values.dtype.names], axis=-1)
    coloured = values.ndim in {3, 4} and values.shape[-1] in {3, 4} and values.dtype == np.uint8
    if coloured:
        values = np.squeeze(values.reshape(*values.shape[:2], -1, values.shape[-1])[..., :3])
        values = values if values.ndim == 4 else values[:, :, None]
        slices = values.transpose(2, 1, 0, 3)
    else:
        values = values.reshape(values.shape[0], values.shape[1] if values.ndim > 1 else 1, -1)
        slices = values.transpose(2, 1, 0)
    column, row = (float(np.linalg.norm(affine[:3, axis])) for axis in (0, 1))
    return Volume(np.ascontiguousarray(slices), (row or 1.0, column or 1.0), affine)


def _check_size(sizes: Any, limit: int) -> None:
    if int(np.prod([int(size) for size in sizes], dtype=object)) > limit:
        raise BadUpload(f"the volume claims {sizes} values; {limit:,} are allowed", hint="send a smaller one")
