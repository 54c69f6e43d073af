from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

import dicom_files
from dicom_files import Scan
from sonoseg.errors import UserError
from sonoseg.images.dicom import codecs
from sonoseg.images.dicom.frames import read_frames
from sonoseg.images.dicom.objects import opened


def decoded(path: Path) -> list[tuple[np.ndarray, str]]:
    with opened(path) as (header, pixels):
        assert pixels
        return list(codecs.frames(header, pixels, "a file", 1_000_000))


@pytest.mark.parametrize("name", ["JPEG-lossy.dcm", "JPGExtended.dcm"])
def test_jpeg_extended_of_12_bits_of_another_maker(name: str) -> None:
    ((samples, model),) = decoded(Path(str(get_testdata_file(name))))
    assert (samples.shape, samples.dtype, model) == ((1024, 256), np.uint16, "MONOCHROME2")
    assert (samples[420, 140], samples[230, 120]) == (244, 95)  # as pydicom's own tests have it


def test_frames_come_as_samples_and_their_colour_model(tmp_path: Path) -> None:
    for syntax in (uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless, uid.JPEGLossless):
        scan = Scan(frames=2, model="RGB", syntax=syntax)
        found = decoded(dicom_files.write(tmp_path / "a.dcm", scan))
        assert [model for _, model in found] == ["RGB", "RGB"]
        assert (np.stack([samples[..., 1] for samples, _ in found]) == dicom_files.grey(scan)).all()


def test_a_clip_with_fewer_frames_than_are_said_is_refused_but_for_one(tmp_path: Path) -> None:
    scan = Scan(frames=5, syntax=dicom_files.MPEG4)
    for said, found in ((4, 4), (5, 5), (6, 5)):
        assert len(decoded(dicom_files.write(tmp_path / "a.dcm", scan, NumberOfFrames=said))) == found
    with pytest.raises(UserError, match="holds 5 of the 7 frames that it says"):
        decoded(dicom_files.write(tmp_path / "a.dcm", scan, NumberOfFrames=7))


@pytest.mark.parametrize(
    ("syntax", "changes", "told"),
    [
        (uid.HTJ2K, {}, "not read: High-Throughput JPEG 2000"),
        (uid.HTJ2KLossless, {}, "not read: High-Throughput JPEG 2000"),
        ("1.2.840.10008.1.2.4.999", {}, "not read: one that is not known"),
        (uid.JPEGBaseline8Bit, {"BitsAllocated": 16, "BitsStored": 12}, "is JPEG of 12 bits"),
        (uid.JPEGExtended12Bit, {"BitsAllocated": 16, "BitsStored": 12, "SamplesPerPixel": 3}, "is JPEG of 12 bits"),
    ],
)
def test_codes_that_are_not_read_are_a_sentence(
    syntax: str, changes: dict[str, object], told: str, tmp_path: Path
) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan(syntax=uid.JPEGBaseline8Bit), **changes)
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = uid.HTJ2K
    data.save_as(path)
    before, after = (f"{each}\0".encode().ljust(24, b"\0") for each in (uid.HTJ2K, syntax))  # some pydicom never saw
    path.write_bytes(path.read_bytes().replace(before, after))
    with pytest.raises(UserError, match=told) as error:
        list(read_frames(path))
    assert error.value.hint


@pytest.mark.parametrize(
    "syntax",
    [uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1,
     uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.JPEG2000Lossless, uid.JPEG2000, dicom_files.MPEG4],
)  # fmt: skip
@pytest.mark.parametrize("bits", [8, 12])
def test_garbage_in_capsules_is_a_sentence(syntax: str, bits: int, tmp_path: Path) -> None:
    dice = np.random.default_rng(17)
    path = dicom_files.write(tmp_path / "a.dcm", Scan(bits=bits))
    for content in (b"\0\0", b"\xff\xd8\xff\xc1", b"\xff\x4f\xff\x51", dice.bytes(3000)):
        data = pydicom.dcmread(path)
        data.PixelData = encapsulate([content])
        data["PixelData"].VR = "OB"
        data.file_meta.TransferSyntaxUID = uid.UID(syntax)
        data.save_as(tmp_path / "b.dcm", enforce_file_format=True)
        with pytest.raises(UserError):
            list(read_frames(tmp_path / "b.dcm"))
