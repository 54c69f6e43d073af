from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import FileMetaDataset

import dicom_files
from dicom_files import Scan
from sonoseg.errors import UserError
from sonoseg.images import reading
from sonoseg.images.dicom import objects
from sonoseg.images.dicom.objects import listed


def directory(path: Path, *files: list[str]) -> Path:
    """A DICOMDIR that lists what it is told to."""
    data = pydicom.Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3"
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    data.DirectoryRecordSequence = []
    for parts in files:
        record = pydicom.Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", parts
        data.DirectoryRecordSequence.append(record)
    pydicom.dcmwrite(path, data, enforce_file_format=True)
    return path


def test_a_directory_lists_what_is_there_and_nothing_outside(tmp_path: Path) -> None:
    study = tmp_path / "study"
    (study / "A").mkdir(parents=True)
    dicom_files.write(study / "A" / "1", Scan())
    dicom_files.write(tmp_path / "outside", Scan())
    path = directory(study / "DICOMDIR", ["A", "1"], ["A", "2"], ["..", "outside"])
    assert listed(path) == [study / "A" / "1"]
    assert [found.name for found in reading.find([path])] == ["A/1"]
    assert [found.name for found in reading.find([study])] == ["A/1"]
    with pytest.raises(UserError, match="lists no image"):
        listed(directory(study / "DICOMDIR", ["A", "2"]))


def test_reports_and_segmentations_of_a_study_are_no_images(tmp_path: Path) -> None:
    dicom_files.write(tmp_path / "a.dcm", Scan())
    for number, kind in enumerate(("88.33", "66.4", "11.1", "104.1")):
        dicom_files.write(tmp_path / f"{number}.dcm", Scan(), SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{kind}")
    assert [found.name for found in reading.find([tmp_path])] == ["a.dcm"]
    with pytest.raises(UserError, match="Comprehensive SR"):  # named, it is answered
        next(reading.read(tmp_path / "0.dcm"))


def test_what_inflates_without_end_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scan = Scan((400, 500), frames=4, syntax=uid.DeflatedExplicitVRLittleEndian)
    path = dicom_files.write(tmp_path / "a.dcm", scan)
    assert path.stat().st_size < 100_000
    assert len(list(reading.read(path))) == 4
    monkeypatch.setattr(objects, "_MOST_INFLATED", 700_000)
    with pytest.raises(UserError, match="inflates to more than 700,000 bytes"):
        list(reading.read(path))
