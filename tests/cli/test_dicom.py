import sys
from pathlib import Path

import pydicom
import pytest

import dicom_files
from dicom_files import Scan
from sonoseg.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["sonoseg", "dicom", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_a_study_is_shared_without_its_patient(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    dicom_files.write(tmp_path / "in" / "DOE_1.dcm", Scan(regions=dicom_files.variants()["plain"].regions))
    dicom_files.write(tmp_path / "in" / "DOE_2.dcm", Scan())
    dicom_files.write(tmp_path / "in" / "x.dcm", Scan(), SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
    assert run(monkeypatch, "deidentify", str(tmp_path / "in"), "--out", str(tmp_path / "out")) == 1
    told = capsys.readouterr()
    assert "written: 2" in told.out
    assert "failed: x.dcm" in told.err
    assert "warning: 0002.dcm: it has no ultrasound regions" in told.err
    assert "DOE" not in told.err + told.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0001.dcm", "0002.dcm"]
    assert not pydicom.dcmread(tmp_path / "out" / "0001.dcm").PatientName
    assert run(monkeypatch, "deidentify", str(tmp_path / "in"), "--out", str(tmp_path / "out")) == 2
    assert "holds DICOM files already" in capsys.readouterr().err


def test_what_cannot_be_reached_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan())
    nowhere = ("--url", "http://127.0.0.1:9/dicom-web")
    assert run(monkeypatch, "push", str(path), *nowhere) == 1
    assert run(monkeypatch, "pull", *nowhere, "--out", str(tmp_path / "out")) == 1
    assert capsys.readouterr().err.count("the archive does not answer") == 2
    assert run(monkeypatch, "push", str(tmp_path / "none"), *nowhere) == 2
