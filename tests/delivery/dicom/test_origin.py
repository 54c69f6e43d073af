import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGBaseline8Bit

import dicom_files
from dicom_files import Scan
from sonoseg.delivery.dicom.capture import write_capture
from sonoseg.delivery.dicom.origin import origin
from sonoseg.delivery.dicom.report import Shown, write_report
from sonoseg.delivery.dicom.segmentation import SegmentationWriter
from sonoseg.errors import UserError
from sonoseg.images.dicom.objects import opened


def test_what_lacks_or_is_wrong_is_empty(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm", Scan())
    data = pydicom.dcmread(path)
    del data.AccessionNumber, data.PatientID
    data.StudyDate = "2026"
    with opened(path) as (header, _):
        header.update(data)
        del header[0x7FE0_0010], header[0x0008_0050], header[0x0010_0020]
        made = origin(header, dicom_files.predictor()).header
    assert (made.AccessionNumber, made.PatientID, made.StudyDate) == ("", "", "")
    assert str(made.PatientName) == dicom_files.PATIENT


def test_a_character_that_no_name_may_have_is_not_written(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm", Scan())
    path.write_bytes(path.read_bytes().replace(b"DOE^JANE", b"DOE\0JANE"))
    made, (prediction,) = dicom_files.predicted(path)
    write_report(tmp_path / "sr.dcm", made, Shown(1, prediction.lesions))
    assert not pydicom.dcmread(tmp_path / "sr.dcm").PatientName
    assert not dicom_files.faults(tmp_path / "sr.dcm")


def test_names_in_any_script_go_along(tmp_path: Path) -> None:
    name = "Müller^Änne"
    path = dicom_files.write(tmp_path / "scan.dcm", Scan(), SpecificCharacterSet="ISO_IR 100", PatientName=name)
    made, (prediction,) = dicom_files.predicted(path)
    with SegmentationWriter(made) as writer:
        writer.add(1, prediction)
        writer.write(tmp_path / "seg.dcm")
    assert str(pydicom.dcmread(tmp_path / "seg.dcm").PatientName) == name
    assert not dicom_files.faults(tmp_path / "seg.dcm")


@pytest.mark.parametrize("frames", [1, 3])
def test_compression_that_lost_something_is_told_of_what_is_made(frames: int, tmp_path: Path) -> None:
    said: dict[str, object] = {
        "LossyImageCompression": "01", "LossyImageCompressionRatio": ["12.5", "3"],
        "LossyImageCompressionMethod": ["ISO_10918_1", "ISO_15444_1"],
    }  # fmt: skip
    scan = Scan(frames=frames, syntax=JPEGBaseline8Bit)
    for changes, compression, ratio in (
        (said, "01", [12.5, 3]),
        ({"LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1"}, "01", None),
        ({"LossyImageCompression": "00"}, "00", None),
    ):
        made, predictions = dicom_files.predicted(dicom_files.write(tmp_path / "scan.dcm", scan, **changes))
        with SegmentationWriter(made) as writer:
            for number, prediction in enumerate(predictions, 1):
                writer.add(number, prediction)
            writer.write(tmp_path / "seg.dcm")
        write_capture(tmp_path / "sc.dcm", made, np.zeros((120, 160, 3), np.uint8), 1)
        for name in ("seg.dcm", "sc.dcm"):
            data = pydicom.dcmread(tmp_path / name)
            assert data.LossyImageCompression == compression
            assert data.get("LossyImageCompressionRatio") == ratio
            assert data.get("LossyImageCompressionMethod") == changes.get("LossyImageCompressionMethod")
            if changes is said:
                assert not dicom_files.faults(tmp_path / name)


@pytest.mark.parametrize("key", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_scan_without_a_name_of_its_own_is_refused(key: str, tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm", Scan())
    with opened(path) as (header, _):
        del header[key]
        with pytest.raises(UserError, match=key):
            origin(header, dicom_files.predictor())


def test_an_odd_name_is_not_quoted_in_a_warning(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm", Scan(), PatientName="SINGLE")
    made, (prediction,) = dicom_files.predicted(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with SegmentationWriter(made) as writer:
            writer.add(1, prediction)
            writer.write(tmp_path / "seg.dcm")
        write_report(tmp_path / "sr.dcm", made, Shown(1, prediction.lesions))
        write_capture(tmp_path / "sc.dcm", made, np.zeros((20, 20, 3), np.uint8), 1)
    assert str(pydicom.dcmread(tmp_path / "sr.dcm").PatientName) == "SINGLE"
