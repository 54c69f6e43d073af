from pathlib import Path

import pydicom
import pytest

import dicom_files
from dicom_files import Scan
from sonoseg.delivery import overlay
from sonoseg.delivery.dicom.capture import write_capture
from sonoseg.errors import UserError
from sonoseg.images import reading


def test_a_capture_is_the_picture(tmp_path: Path) -> None:
    for scan in (Scan(), Scan(frames=2)):
        origin, predictions = dicom_files.predicted(dicom_files.write(tmp_path / "scan.dcm", scan))
        pixels = overlay.draw(predictions[0], ["a line"])
        write_capture(tmp_path / "sc.dcm", origin, pixels, 1)
        made = pydicom.dcmread(tmp_path / "sc.dcm")
        assert (made.pixel_array == pixels).all()
        assert made.StudyInstanceUID == origin.header.StudyInstanceUID
        assert not dicom_files.faults(tmp_path / "sc.dcm")
        with pytest.raises(UserError, match="that sonoseg made of a scan"):  # whatever an archive calls it
            list(reading.read(tmp_path / "sc.dcm"))
