import zipfile
from pathlib import Path

import pydicom
import pytest

import dicom_files
from dicom_files import Region, Scan
from sonoseg.delivery.dicom import deidentify
from sonoseg.delivery.dicom.sharing import share
from sonoseg.errors import UserError

BOX = (24, 10, 135, 105)


def study(folder: Path) -> Path:
    folder.mkdir()
    same = {"StudyInstanceUID": "1.2.840.1"}
    dicom_files.write(folder / "DOE_1.dcm", Scan(inside=BOX, regions=(Region(BOX),)), **same)
    dicom_files.write(folder / "DOE_2.dcm", Scan(frames=2), **same)
    dicom_files.write(folder / "DOE_3.dcm", Scan(), SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    (folder / "notes.txt").write_text("DOE")
    return folder


def test_files_get_new_names_and_keep_together(tmp_path: Path) -> None:
    told = list[tuple[int, int]]()
    shared = share([study(tmp_path / "in")], tmp_path / "out", lambda done, of: told.append((done, of)))
    assert shared.done == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0001.dcm", "0002.dcm"]
    first, second = (pydicom.dcmread(tmp_path / "out" / name) for name in ("0001.dcm", "0002.dcm"))
    assert first.StudyInstanceUID == second.StudyInstanceUID != "1.2.840.1"
    ((name, sentence, hint),) = shared.failures
    assert (name, "CT Image Storage" in sentence, bool(hint)) == ("DOE_3.dcm", True, True)
    assert shared.warnings == [("0002.dcm", deidentify.NO_REGIONS)]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_what_the_system_does_not_give_is_told_and_the_rest_is_written(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    (folder / "A.dcm").symlink_to(tmp_path / "nowhere")
    shared = share([folder], tmp_path / "out", lambda done, of: None)
    assert shared.done == 2
    assert [name for name, _, _ in shared.failures] == ["A.dcm", "DOE_3.dcm"]
    assert shared.failures[0][1] == "No such file or directory"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0002.dcm", "0003.dcm"]


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)
        archive.writestr("a" * 300, b"")
    shared = share([tmp_path / "study.zip"], tmp_path / "out", lambda done, of: None)
    assert shared.done == 2
    assert [name for name, _, _ in shared.failures] == ["a" * 300, "DOE_3.dcm"]


def test_a_folder_with_dicom_is_not_written_to(tmp_path: Path) -> None:
    folder = study(tmp_path / "in")
    with pytest.raises(UserError, match="holds DICOM files already"):
        share([folder], folder, lambda done, of: None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError):
        share([tmp_path / "empty"], tmp_path / "out", lambda done, of: None)
