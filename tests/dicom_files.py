"""DICOM files made in a test: ultrasound of a dark ellipse, in any colour model, transfer syntax and kind of region."""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gdcm
import jpeg_ls
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder

from sonoseg.delivery.dicom.origin import Origin, origin
from sonoseg.images import clips, reading
from sonoseg.images.dicom.objects import opened
from sonoseg.prediction.predictor import Model, Prediction, Predictor

US, US_MULTI = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1"
MPEG4 = uid.MPEG4HP41
PATIENT = "DOE^JANE"

_BY_GDCM = {
    uid.JPEGLossless: gdcm.TransferSyntax.JPEGLosslessProcess14,
    uid.JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    uid.JPEGExtended12Bit: gdcm.TransferSyntax.JPEGExtendedProcess2_4,
}

LOSSY = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, MPEG4}

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """One item of the Sequence of Ultrasound Regions. box: (left, top, right, bottom), the last two inside."""

    box: tuple[int, int, int, int]
    delta: tuple[float, float] = (0.01, 0.01)
    units: tuple[int, int] = (3, 3)
    spatial: int = 1
    data: int = 1
    flags: int = 0

    def item(self) -> Dataset:
        item = Dataset()
        item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = self.spatial, self.data, self.flags
        item.RegionLocationMinX0, item.RegionLocationMinY0 = self.box[:2]
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = self.box[2:]
        item.PhysicalUnitsXDirection, item.PhysicalUnitsYDirection = self.units
        item.PhysicalDeltaX, item.PhysicalDeltaY = self.delta
        return item


@dataclass(frozen=True)
class Scan:
    """What a file shall be. shape: of its frames. inside: (left, top, right, bottom) of the tissue, the rest is black.

    multi: whether the object is US Multi-frame; with one frame too. changes: elements to set at last.
    """

    shape: tuple[int, int] = (120, 160)
    frames: int = 1
    model: str = "MONOCHROME2"
    syntax: str = uid.ExplicitVRLittleEndian
    regions: tuple[Region, ...] = ()
    inside: tuple[int, int, int, int] | None = None
    lesion: bool = True
    planar: int = 0
    multi: bool = False
    window: tuple[float, float] | None = None
    spacing: tuple[float, float] | None = None
    bits: int = 8


def grey(scan: Scan) -> Pixels:
    """Frames as they look, ``uint8 (N, H, W)``: tissue of 180, an ellipse of 20 that moves by 2 pixels a frame."""
    height, width = scan.shape
    left, top, right, bottom = scan.inside or (0, 0, width - 1, height - 1)
    rows, columns = np.mgrid[:height, :width]
    middle, centre = (top + bottom) / 2, (left + right) / 2
    tissue = (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
    tall, wide = (bottom - top) / 6, (right - left) / 4
    frames = []
    for number in range(scan.frames):
        inside = ((rows - middle) / tall) ** 2 + ((columns - centre - 2 * number) / wide) ** 2 <= 1
        frames.append(np.where(tissue, np.where(inside & scan.lesion, 20, 180), 0))
    return np.stack(frames).astype(np.uint8)


def ellipse(scan: Scan) -> NDArray[np.bool_]:
    """The lesions of the frames, ``bool (N, H, W)``."""
    return np.asarray(grey(scan) == 20)


def write(path: Path, scan: Scan | None = None, **changes: Any) -> Path:
    """Write a file as ``scan`` says it; changes: elements set at last, None deletes one."""
    scan = scan or Scan()
    data = dataset(scan, grey(scan))
    for key, value in changes.items():
        if value is None:
            del data[key]
        else:
            setattr(data, key, value)
    data.save_as(path, enforce_file_format=True)
    if _is_by_gdcm(scan):
        _recode(path, scan.syntax)
    return path


def dataset(scan: Scan, shown: Pixels) -> Dataset:
    """The object that shows ``uint8 (N, H, W)``."""
    multi = scan.multi or scan.frames > 1
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = US_MULTI if multi else US, uid.generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = uid.generate_uid(), uid.generate_uid()
    data.PatientName, data.PatientID, data.Modality = PATIENT, "4711", "US"
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20261124", "120000", "S1", "A-17"
    data.SeriesNumber, data.InstanceNumber, data.ImageType = 1, 1, ["ORIGINAL", "PRIMARY", "BREAST"]
    data.Rows, data.Columns = scan.shape
    if multi:
        data.NumberOfFrames, data.FrameTime, data.FrameIncrementPointer = scan.frames, 40, 0x0018_1063
    if scan.regions:
        data.SequenceOfUltrasoundRegions = [region.item() for region in scan.regions]
    if scan.spacing:
        data.PixelSpacing = list(scan.spacing)
    if scan.window:
        data.WindowCenter, data.WindowWidth = scan.window
    _set_pixels(data, scan, shown)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.UID(uid.ExplicitVRLittleEndian if _is_by_gdcm(scan) else scan.syntax)
    return data


def _set_pixels(data: Dataset, scan: Scan, shown: Pixels) -> None:
    colour = scan.model in {"RGB", "YBR_FULL", "YBR_FULL_422"}
    data.PhotometricInterpretation, data.SamplesPerPixel = scan.model, 3 if colour else 1
    data.BitsAllocated, data.BitsStored = (8, 8) if scan.bits == 8 else (16, scan.bits)
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
    if colour:
        data.PlanarConfiguration = scan.planar
    samples = [_samples(frame, scan, data) for frame in shown]
    if scan.syntax == MPEG4:
        data.PixelData = encapsulate([_moving(shown)])
        data["PixelData"].VR = "OB"
    elif uid.UID(scan.syntax).is_encapsulated and not _is_by_gdcm(scan):
        data.PixelData = encapsulate([_encoded(frame, scan) for frame in samples])
        data["PixelData"].VR = "OB"
    else:
        content = b"".join(_native(frame, scan) for frame in samples)
        data.PixelData = content + b"\0" * (len(content) % 2)
        data["PixelData"].VR = "OW" if scan.bits > 8 else "OB"


def _samples(frame: Pixels, scan: Scan, data: Dataset) -> NDArray[np.generic]:
    """What is stored of a frame that looks like ``frame``."""
    if scan.model == "MONOCHROME1":
        return 255 - frame
    if scan.model == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            table = (np.arange(255, -1, -1, dtype=np.uint16) * 257).tobytes()
            setattr(data, f"{colour}PaletteColorLookupTableData", table)
        return 255 - frame
    if scan.model == "MONOCHROME2":
        return frame.astype(np.uint16) << (scan.bits - 8) if scan.bits > 8 else frame
    colours = PIL.Image.fromarray(frame).convert("RGB")
    return np.asarray(colours if scan.model == "RGB" else colours.convert("YCbCr"))


def _native(samples: NDArray[np.generic], scan: Scan) -> bytes:
    if scan.model == "YBR_FULL_422":
        first, second = samples[:, ::2], samples[:, 1::2]
        return np.stack((first[..., 0], second[..., 0], first[..., 1], first[..., 2]), axis=-1).tobytes()
    if samples.ndim == 3 and scan.planar:
        samples = samples.transpose(2, 0, 1)
    if scan.syntax == uid.ExplicitVRBigEndian and samples.dtype.itemsize == 2:
        samples = samples.byteswap()
    return samples.tobytes()


def _encoded(samples: NDArray[np.generic], scan: Scan) -> bytes:
    if scan.syntax == uid.RLELossless:
        height, width = scan.shape
        many = 3 if samples.ndim == 3 else 1
        return RLELosslessEncoder.encode(
            samples, rows=height, columns=width, samples_per_pixel=many, bits_allocated=samples.dtype.itemsize * 8,
            bits_stored=scan.bits, pixel_representation=0, number_of_frames=1, planar_configuration=0,
            photometric_interpretation=scan.model,
        )  # fmt: skip
    if scan.syntax in {uid.JPEGLSLossless, uid.JPEGLSNearLossless}:
        near = 2 if scan.syntax == uid.JPEGLSNearLossless else 0
        return bytes(jpeg_ls.encode_array(np.ascontiguousarray(samples), near, 2 if samples.ndim == 3 else 0))
    mode = "YCbCr" if scan.model.startswith("YBR") else "RGB"
    size = scan.shape[::-1]
    picture = PIL.Image.frombytes(mode, size, samples.tobytes()) if samples.ndim == 3 else PIL.Image.fromarray(samples)
    file = io.BytesIO()
    if scan.syntax in {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit}:
        keeps = {"keep_rgb": True} if scan.model == "RGB" else {}
        picture.save(file, "JPEG", quality=95, subsampling=1 if scan.model == "YBR_FULL_422" else 0, **keeps)
    else:
        plain = PIL.Image.frombytes("RGB", size, samples.tobytes()) if samples.ndim == 3 else picture
        plain.save(file, "JPEG2000", no_jp2=True, irreversible=scan.syntax == uid.JPEG2000, mct=0)
    return file.getvalue()


def _is_by_gdcm(scan: Scan) -> bool:
    """Whether it is a JPEG that only GDCM writes: without loss, or of 12 bits."""
    return scan.syntax in _BY_GDCM and (scan.syntax != uid.JPEGExtended12Bit or scan.bits == 12)


def _recode(path: Path, syntax: str) -> None:
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(_BY_GDCM[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def _moving(shown: Pixels) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cine.mp4"
        with clips.clip_writer(path, 25, "") as writer:
            for frame in shown:
                writer.add(np.repeat(frame[..., None], 3, axis=2))
        return path.read_bytes()


def faults(path: Path) -> list[str]:
    """What dciodvfy finds wrong with an object; the test skips where it is not installed."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


def dcmqi(program: str, *arguments: str) -> None:
    """Run a program of dcmqi, on which 3D Slicer's import rests; the test skips where it is not installed."""
    place = shutil.which(program, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if place is None:
        pytest.skip(f"{program} is not installed (pip install dcmqi)")
    done = subprocess.run([place, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def predictor() -> Predictor:
    """Finds what is dark."""
    return Predictor(lambda frames: np.float32(20) * (np.float32(0.3) - frames), 64, model=Model("tiny", "ab" * 32))


def predicted(path: Path) -> tuple[Origin, list[Prediction]]:
    """A file as objects are made of it, and what is found in its frames."""
    maker = predictor()
    with opened(path) as (header, _):
        pass
    predictions = [maker.predict(item.image) for item in reading.read(path)]
    return origin(header, maker), predictions


def variants() -> dict[str, Scan]:
    """Single and cine, codecs, colour models, kinds of regions: what is read and written, by name."""
    box = (24, 10, 135, 105)
    base = Scan(inside=box, regions=(Region(box, (0.011, 0.011)),))
    cine = replace(base, frames=4)
    native = (uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian)
    coded = (
        uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1,
        uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000,
    )  # fmt: skip
    models = ("MONOCHROME1", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422")
    found = {"plain": base, "cine": cine, "one frame of a cine": replace(base, multi=True)}
    for syntax in (*native, *coded):
        found[uid.UID(syntax).name] = replace(base, syntax=syntax)
        found[f"{uid.UID(syntax).name}, cine"] = replace(cine, syntax=syntax)
    found["MPEG-4, cine"] = replace(cine, syntax=MPEG4)
    for model in models:
        found[model] = replace(base, model=model)
        found[f"{model}, cine"] = replace(cine, model=model)
    for model, syntax in (
        ("RGB", uid.RLELossless), ("RGB", uid.JPEGBaseline8Bit), ("YBR_FULL", uid.JPEGBaseline8Bit),
        ("YBR_FULL_422", uid.JPEGBaseline8Bit), ("RGB", uid.JPEGLossless), ("RGB", uid.JPEGLSLossless),
        ("RGB", uid.JPEG2000Lossless), ("YBR_FULL", uid.RLELossless), ("PALETTE COLOR", uid.RLELossless),
    ):  # fmt: skip
        found[f"{model}, {uid.UID(syntax).name}"] = replace(base, model=model, syntax=syntax)
    return found | {
        "RGB by plane": replace(base, model="RGB", planar=1),
        "YBR_FULL by plane, cine": replace(cine, model="YBR_FULL", planar=1),
        "12 bits": replace(base, bits=12),
        "16 bits, cine": replace(cine, bits=16),
        "JPEG Extended of 12 bits": replace(base, bits=12, syntax=uid.JPEGExtended12Bit),
        "JPEG Extended of 12 bits, cine": replace(cine, bits=12, syntax=uid.JPEGExtended12Bit),
        "a window": replace(base, window=(128, 256)),
        "odd rows and columns": Scan((121, 161), inside=box, regions=base.regions),
        "odd RGB": Scan((121, 161), model="RGB", inside=box, regions=base.regions),
        "no region": Scan(),
        "no region, cine": Scan(frames=3),
        "Pixel Spacing": Scan(spacing=(0.2, 0.1)),
        "anisotropic": replace(base, regions=(Region(box, (0.008, 0.016)),)),
        "negative delta": replace(base, regions=(Region(box, (0.01, -0.01)),)),
        "not in cm": replace(base, regions=(Region(box, units=(4, 4)),)),
        "last corner beyond": Scan(regions=(Region((0, 0, 160, 120)),)),
        "with a spectrum": replace(base, regions=(*base.regions, Region((24, 107, 135, 119), spatial=3, data=3))),
        "with colour flow": replace(base, regions=(Region(box, flags=1), Region((60, 40, 90, 60), data=2))),
        "two views": replace(base, regions=(Region((24, 10, 79, 105)), Region((80, 10, 135, 105)))),
    }


def sequence(regions: Sequence[Region]) -> list[Dataset]:
    """Regions as a sequence."""
    return [region.item() for region in regions]
