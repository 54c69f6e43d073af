from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate

import dicom_files
from dicom_files import LOSSY, MPEG4, PATIENT, Region, Scan
from sonoseg.errors import UserError
from sonoseg.images import reading
from sonoseg.images.dicom.frames import read_frames

VARIANTS = dicom_files.variants()


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_shows_what_was_drawn(name: str, tmp_path: Path) -> None:
    scan = VARIANTS[name]
    items = list(reading.read(dicom_files.write(tmp_path / "scan.dcm", scan)))
    shown = np.stack([item.image.pixels for item in items]).astype(int)
    tolerance = 48 if scan.syntax == MPEG4 else 8 if scan.syntax in LOSSY else 1
    assert np.abs(shown - dicom_files.grey(scan)).max() <= tolerance
    assert [item.number for item in items] == list(range(1, scan.frames + 1))
    assert all(item.of == scan.frames and item.moves == (scan.frames > 1) for item in items)
    assert not any(item.image.coloured for item in items)


CAPTURES = (
    "SC_jpeg_no_color_transform.dcm", "SC_jpeg_no_color_transform_2.dcm", "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm", "SC_rgb_dcmtk_+eb+cy+s4.dcm",
    "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm", "SC_rgb_jpeg_app14_dcmd.dcm",
    "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_jpeg_lossy_gdcm.dcm", "SC_rgb_rle.dcm",
    "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_2frame.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_gdcm_KY.dcm",
    "image_dfl.dcm",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CAPTURES)
def test_files_of_other_makers_look_as_pydicom_shows_them(name: str, tmp_path: Path) -> None:
    data = pydicom.dcmread(str(get_testdata_file(name)))
    expected = data.pixel_array
    data.Modality = "US"
    data.save_as(tmp_path / "scan.dcm")
    images = [item.image for item in read_frames(tmp_path / "scan.dcm")]
    assert len(images) == (data.get("NumberOfFrames") or 1)
    if data.SamplesPerPixel == 3:
        first = expected[0] if len(images) > 1 else expected
        first = (first >> 8).astype(np.uint8) if first.dtype == np.uint16 else first
        luma = np.asarray(PIL.Image.fromarray(first).convert("L")).astype(int)
        assert np.abs(luma - images[0].pixels).max() <= 3
    else:
        assert np.corrcoef(expected.ravel(), images[0].pixels.ravel())[0, 1] > 0.9


def test_a_cine_is_read_frame_by_frame(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "cine.dcm", Scan(frames=6), FrameTime=20)
    frames = read_frames(path)
    first, second = next(frames), next(frames)
    assert (first.seconds, second.seconds, first.rate) == (0, 0.02, 50)
    frames.close()
    path.unlink()  # nothing holds it open


def test_dicom_is_known_by_its_content(tmp_path: Path) -> None:
    dicom_files.write(tmp_path / "IM0001")
    with (tmp_path / "IM0001").open("r+b") as file:
        file.write(b"II*\0")  # what is a TIFF as well
    found = reading.find([tmp_path])
    assert [each.name for each in found] == ["IM0001"]
    assert next(reading.read(found[0].path)).image.shape == (120, 160)


@pytest.mark.parametrize(
    ("changes", "scan", "told"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, Scan(), "CT Image Storage"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.2"}, Scan(), "Enhanced US Volume"),
        ({"SOPClassUID": "1.2.3"}, Scan(), "unknown kind"),
        ({"Rows": None}, Scan(), "lacks Rows"),
        ({"PixelData": None}, Scan(), "lacks Pixel Data"),
        ({"NumberOfFrames": 0}, Scan(), "0 frames"),
        ({"NumberOfFrames": 7}, Scan(frames=2), "its frames need"),
        ({"NumberOfFrames": 7}, Scan(frames=2, syntax=uid.RLELossless), "2 of the 7"),
        ({"Rows": 0}, Scan(), "160 x 0"),
        ({"Columns": 65535, "Rows": 65535}, Scan(), "are allowed"),
        ({"Columns": 80}, Scan(syntax=uid.JPEGBaseline8Bit), "holds a frame of 160 x 120"),
        ({"Columns": 80}, Scan(syntax=uid.JPEGLSLossless), "holds a frame of 160 x 120"),
        ({"Columns": 80}, Scan(syntax=uid.JPEG2000), "holds a frame of 160 x 120"),
        ({"PixelData": encapsulate([b"garbage!"])}, Scan(syntax=uid.JPEG2000), "damaged"),
        ({"PhotometricInterpretation": "HSV"}, Scan(), "colour model HSV"),
        ({"PhotometricInterpretation": PATIENT}, Scan(), "of no known kind"),
        ({"BitsStored": 32}, Scan(), "32 bits"),
        ({}, Scan(regions=(Region((0, 0, 400, 100)),)), "outside its frame"),
        ({}, Scan(regions=(Region((50, 50, 20, 20)),)), "outside its frame"),
        ({}, Scan(regions=(Region((0, 0, 159, 119), spatial=3, data=3),)), "a Doppler spectrum"),
        ({}, Scan(regions=(Region((0, 0, 159, 119), data=2),)), "colour Doppler"),
        ({}, Scan(regions=(Region((0, 0, 159, 119), spatial=2),)), "M-mode"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(changes: dict[str, object], scan: Scan, told: str, tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm", scan, **changes)
    with pytest.raises(UserError, match=told) as error:
        list(read_frames(path))
    assert error.value.hint
    assert "DOE" not in str(error.value)


def test_a_private_transfer_syntax_is_a_sentence(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm")
    content = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0")
    path.write_bytes(content)
    with pytest.raises(UserError, match="a private one"):
        list(read_frames(path))


def test_a_damaged_code_stream_of_jpeg_lossless_is_a_sentence(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm", Scan(syntax=uid.JPEGLosslessSV1, model="RGB"))
    path.write_bytes(path.read_bytes().replace(b"\xff\xd8\xff", b"\0\0\0"))
    with pytest.raises(UserError, match="decoded"):
        list(read_frames(path))


def test_truncated_files_are_a_sentence(tmp_path: Path) -> None:
    for scan in (Scan(), Scan(syntax=uid.JPEGBaseline8Bit), Scan(frames=3, syntax=uid.RLELossless)):
        content = dicom_files.write(tmp_path / "whole.dcm", scan).read_bytes()
        for share in (0.2, 0.5, 0.9):
            path = tmp_path / "cut.dcm"
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(UserError):
                list(read_frames(path))


def test_text_is_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_text("not at all")
    with pytest.raises(UserError, match="no DICOM object"):
        list(reading.read(tmp_path / "a.dcm"))


def test_signed_and_inverted_samples(tmp_path: Path) -> None:
    plain = dicom_files.grey(Scan())[0]
    path = dicom_files.write(tmp_path / "a.dcm", Scan(model="MONOCHROME1"), PixelData=plain.tobytes())
    assert (next(read_frames(path)).image.pixels == 255 - plain).all()
    signed = (plain.astype(np.int16) - 100).astype("<i2")
    path = dicom_files.write(
        tmp_path / "b.dcm", Scan(bits=16), PixelRepresentation=1, PixelData=signed.tobytes(), WindowCenter=-100 + 128,
        WindowWidth=256,
    )  # fmt: skip
    assert np.abs(next(read_frames(path)).image.pixels.astype(int) - plain).max() <= 1
