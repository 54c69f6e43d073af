import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from fastapi.testclient import TestClient

import dicom_files
from dicom_files import Region, Scan
from serving import READER, add, client, png
from sonoseg.delivery.slicer import SlicerWriter
from sonoseg.images import masks
from sonoseg.prediction import modelfile
from sonoseg.viewer import exports
from tiny_model import scan


def exported(opened: TestClient, case: int, *kinds: str) -> Any:
    return opened.get(f"/api/cases/{case}/export", params={"kinds": kinds})


def correct(opened: TestClient, case: int, mask: np.ndarray, frame: int = 1) -> None:
    form = {"reader": READER, "action": "brush", "mask": masks.encode(mask)}
    assert opened.put(f"/api/cases/{case}/frames/{frame}/mask", json=form).status_code == 200


def box() -> np.ndarray:
    mask = np.zeros((120, 160), bool)
    mask[30:70, 40:100] = True
    return mask


def test_slicer_gets_the_file_that_predict_writes(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        answer = exported(opened, add(opened), "nrrd")
    assert answer.headers["content-disposition"] == 'attachment; filename="0001-scan.seg.nrrd"'
    with SlicerWriter() as writer:
        writer.add(modelfile.load(tmp_path / "tiny.onnx", "onnxruntime", 1).predict(scan()))
        writer.write(tmp_path / "a.seg.nrrd")
    assert answer.content == (tmp_path / "a.seg.nrrd").read_bytes()


def test_dicom_gives_dicom_as_it_was_corrected(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "scan.dcm", Scan(regions=(Region((0, 0, 159, 119), (0.01, 0.01)),)))
    with client(tmp_path) as opened:
        case = add(opened, path.read_bytes(), "scan.dcm")
        first = pydicom.dcmread(io.BytesIO(exported(opened, case, "seg").content))
        correct(opened, case, box())
        files = zipfile.ZipFile(io.BytesIO(exported(opened, case, "seg", "sr").content))
        assert set(files.namelist()) == {"0001-scan_seg.dcm", "0001-scan_sr.dcm"}
        seg, report = (pydicom.dcmread(io.BytesIO(files.read(f"0001-scan_{kind}.dcm"))) for kind in ("seg", "sr"))
    assert (seg.pixel_array.astype(bool) == box()).all()
    assert first.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert "reader" in seg.SeriesDescription
    assert seg.SOPInstanceUID != first.SOPInstanceUID
    assert (report.Modality, report.StudyInstanceUID) == ("SR", pydicom.dcmread(path).StudyInstanceUID)


def test_a_cine_is_one_segmentation_and_one_report_of_its_largest_frame(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "cine.dcm", Scan(frames=3))
    with client(tmp_path) as opened:
        case = add(opened, path.read_bytes(), "cine.dcm")
        correct(opened, case, np.zeros((120, 160), bool), frame=1)
        seg = pydicom.dcmread(io.BytesIO(exported(opened, case, "seg").content))
        report = exported(opened, case, "sr")
    groups = seg.PerFrameFunctionalGroupsSequence
    sources = [group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber for group in groups]
    assert sources == [2, 3]
    assert report.headers["content-type"] == "application/dicom"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        add(opened)
        add(opened, png(lesion=False), "empty.png")
        for case, kind, said in ((1, "seg", "this is no DICOM"), (1, "sr", "no DICOM"), (2, "nrrd", "no lesion")):
            refused = exported(opened, case, kind)
            assert refused.status_code == 422
            assert said in refused.json()["error"]
        files = zipfile.ZipFile(io.BytesIO(exported(opened, 1, "mask", "seg").content))
        assert files.namelist() == ["0001-scan_mask.png", exports.LEFT_OUT]
        assert b"0001-scan: this is no DICOM" in files.read(exports.LEFT_OUT)
        everything = zipfile.ZipFile(io.BytesIO(opened.get("/api/export", params={"kinds": ["sr", "nrrd"]}).content))
        assert everything.namelist() == ["0001-scan.seg.nrrd", exports.LEFT_OUT]
        assert len(everything.read(exports.LEFT_OUT).splitlines()) == 3


def test_a_zip_is_whole_and_the_same_again() -> None:
    async def packed(pieces: int) -> bytes:
        async def parts() -> Any:
            for number in range(pieces):
                yield [(f"{number}.txt", bytes([number]) * 1000)]

        return b"".join([piece async for piece in exports.zipped(parts())])

    content = asyncio.run(packed(5))
    assert content == asyncio.run(packed(5))
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    assert [found.read(name) for name in found.namelist()] == [bytes([number]) * 1000 for number in range(5)]
