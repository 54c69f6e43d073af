import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

import dicom_files
from dicom_files import Scan
from orthanc import Orthanc, free_port, running
from sonoseg.cli import main
from sonoseg.delivery.dicom.network import receiving
from tiny_model import write_model


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    with running(tmp_path / "orthanc") as started:
        yield started


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


def test_what_is_named_and_cannot_be_sent_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = [dicom_files.write(tmp_path / "a.dcm", Scan()), tmp_path / "typo.dcm", tmp_path / "s0.png"]
    files[2].write_bytes(b"no DICOM")
    port = free_port()
    with receiving(tmp_path / "out", port, "127.0.0.1"):
        assert run(monkeypatch, "send", *map(str, files), "--host", "127.0.0.1", "--port", str(port)) == 1
    told = capsys.readouterr()
    assert "sent: 1" in told.out
    assert re.findall("failed: (.+?): ", told.err) == ["typo.dcm", "s0.png"]
    assert "typo.dcm does not exist" in told.err
    assert run(monkeypatch, "push", *map(str, files[1:]), "--url", "http://127.0.0.1:9/dicom-web") == 2
    assert "error: there is no DICOM in " in capsys.readouterr().err


def test_an_archive_is_pushed_to_watched_and_pulled_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], archive: Orthanc, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        dicom_files.write(tmp_path / "in" / f"DOE_{number}.dcm", Scan(frames=number + 1), StudyDate=f"2026112{number}")
    url = ("--url", archive.web)
    assert run(monkeypatch, "push", str(tmp_path / "in"), *url) == 0
    assert "stored: 3" in capsys.readouterr().out
    assert run(monkeypatch, "pull", *url, "--out", str(tmp_path / "out"), "--date", "20261121-") == 0
    assert "images: 2" in capsys.readouterr().out
    model = ("--model", str(write_model(tmp_path / "tiny.onnx")))
    watch = ("watch", *url, "--out", str(tmp_path / "record"), "--looks", "1", *model)
    assert run(monkeypatch, *watch, "--date", "20261120", "--frame-of-reference", "synthetic", "--sc") == 0
    assert run(monkeypatch, *watch) == 0
    assert run(monkeypatch, *watch) == 0
    told = capsys.readouterr()
    assert [line.partition(": ")[2] for line in told.out.splitlines()] == [
        "3 objects stored",
        *["2 objects stored"] * 2,
    ]
    assert "DOE" not in told.out + told.err
    made = [pydicom.dcmread(BytesIO(archive.content(each))) for each in archive.instances("SEG")]
    assert ["FrameOfReferenceUID" in each for each in sorted(made, key=lambda each: each.StudyDate)] == [
        True,
        False,
        False,
    ]
    assert len(archive.instances("SR")) == 3
    assert run(monkeypatch, *watch, "--frame-of-reference", "mine") == 2


def test_who_must_say_who_he_is_stands_in_the_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan())
    with running(tmp_path / "orthanc", {"me": "se@cret"}) as archive:
        assert run(monkeypatch, "push", str(path), "--url", archive.web) == 2
        assert "refuses (HTTP 401)" in capsys.readouterr().err
        assert run(monkeypatch, "push", str(path), "--url", archive.web.replace("//", "//me:wrong@")) == 2
        told = capsys.readouterr().err
        assert "refuses (HTTP 401)" in told
        assert "wrong" not in told
        assert run(monkeypatch, "push", str(path), "--url", archive.web.replace("//", "//me:se%40cret@")) == 0
