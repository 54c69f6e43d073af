"""By the project's own client module, as 3D Slicer's uses it, and by hand as OHIF asks."""

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pydicom
import pytest

import dicom_files
from dicom_files import Scan
from serving import add, client, png, served
from sonoseg.images import masks
from sonoseg.prediction import modelfile
from sonoseg.viewer import volumes
from sonoseg.viewer.store import Store
from tiny_model import scan

AFFINE = np.array([[-0.2, 0, 0, 3.0], [0, -0.1, 0, 4.0], [0, 0, 1, 5.0], [0, 0, 0, 1]])


def monai(url: str, folder: Path) -> Any:
    if sys.version_info >= (3, 13):
        pytest.skip("MONAI Label's client imports cgi, which Python 3.13 has not")
    reason = "MONAI Label's client is not installed: pip install --no-deps monailabel requests"
    module = pytest.importorskip("monailabel.client.client", reason=reason)
    return module.MONAILabelClient(url, str(folder), "annotator")


def slices() -> np.ndarray:
    return np.stack([scan(lesion=number != 1).pixels for number in range(3)])


def expected(folder: Path) -> np.ndarray:
    predictor = modelfile.load(folder / "tiny.onnx", "onnxruntime", 1)
    return np.stack([predictor.predict(pixels).mask for pixels in slices()])


def volume(folder: Path) -> Path:
    path = folder / "scan.nii.gz"
    path.write_bytes(volumes.nifti(slices(), AFFINE))
    return path


def read(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    image: Any = nibabel.load(path)
    return np.asarray(image.dataobj).transpose(2, 1, 0), image.affine


def parts(content: bytes, kind: str) -> dict[str, bytes]:
    """Of a multipart answer, as OHIF takes it to pieces."""
    found = {}
    for part in content.split(b"--" + kind.split("boundary=")[1].encode())[1:-1]:
        head, _, body = part.partition(b"\r\n\r\n")
        found["json" if b"application/json" in head else "octets"] = body.removesuffix(b"\r\n")
    return found


def test_slicer_sends_a_volume_and_gets_labels_in_its_place(tmp_path: Path) -> None:
    with served(tmp_path) as url:
        asked = monai(url, tmp_path)
        told = asked.info()
        assert told["models"]["tiny"]["type"] == "segmentation"
        assert list(told["models"]["tiny"]["labels"]) == told["labels"] == ["background", "lesion"]
        opened = asked.create_session(str(volume(tmp_path)))
        session = opened["session_id"]
        assert asked.get_session(session)["name"] == "scan.nii.gz"
        file, params = asked.infer("tiny", "scan", {}, session_id=session)
        labels, affine = read(file)
        assert (labels == expected(tmp_path)).all()
        assert affine == pytest.approx(AFFINE)
        assert [len(frame["lesions"]) for frame in params["frames"]] == [1, 0, 1]
        assert params["frames"][0]["lesions"][0]["longest_diameter"] == pytest.approx(16.2, abs=0.5)  # 81 x 0.2 mm
        asked.remove_session(session)
        with pytest.raises(Exception, match="there is no case"):
            asked.get_session(session)


def test_a_label_of_slicer_is_a_correction(tmp_path: Path) -> None:
    drawn = np.zeros((3, 120, 160), np.uint8)
    drawn[1, 20:60, 30:90] = 2
    (tmp_path / "label.nii.gz").write_bytes(volumes.nifti(drawn, AFFINE))
    with served(tmp_path) as url:
        asked = monai(url, tmp_path)
        session = asked.create_session(str(volume(tmp_path)))["session_id"]
        assert asked.upload_image(str(volume(tmp_path)), "left breast") == {"image": "left breast"}
        assert asked.save_label("left breast", str(tmp_path / "label.nii.gz"), "final")["image"] == "left breast"
        assert asked.info()["datastore"] == {"total": 1, "completed": 1}
        file, _ = asked.infer("tiny", "left breast", {})  # the model's word, not the reader's
        assert (read(file)[0] == expected(tmp_path)).all()
        asked.remove_session(session)
        assert asked.get_session(session)["name"] == "left breast"  # what somebody corrected stays
        with pytest.raises(Exception, match="there is no case"):
            asked.save_label("other", str(tmp_path / "label.nii.gz"))
    store = Store(tmp_path / "reviews.sqlite3", writable=False)
    found = store.corrections(1)
    store.close()
    assert [(each.number, each.reader, each.action) for each in found] == [(n, "annotator", "final") for n in (1, 2, 3)]
    assert (np.stack([masks.decode(each.mask, (120, 160)) for each in found]) == (drawn > 0)).all()


def test_ohif_names_a_series_and_gets_plain_nrrd(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "cine.dcm", Scan(frames=3))
    truth = dicom_files.ellipse(Scan(frames=3))
    series = str(pydicom.dcmread(path).SeriesInstanceUID)
    wanted = {"result_extension": ".nrrd", "result_dtype": "uint16", "result_compress": False, "client_id": 1}
    with client(tmp_path) as opened:
        case = add(opened, path.read_bytes(), "cine.dcm")
        place = f"/infer/tiny?image={series}"
        answer = opened.post(f"{place}&output=all", data={"params": json.dumps(wanted)})
        found = parts(answer.content, answer.headers["content-type"])
        answer.content.decode()  # OHIF takes all of it for text
        centroid = json.loads(found["json"])["centroids"]["lesion"]
        assert [float(value) for value in centroid] == pytest.approx([1, 79.5, 59.5, 0], abs=1)
        header = nrrd.read_header(io.BytesIO(found["octets"]))
        assert (header["type"], header["encoding"], header["sizes"].tolist()) == ("uint16", "raw", [160, 120, 3])
        labels = np.frombuffer(found["octets"].partition(b"\n\n")[2], "<u2").reshape(3, 120, 160)
        assert (labels != truth).mean() < 0.02
        made = pydicom.dcmread(io.BytesIO(opened.post(f"{place}&output=dicom_seg").content))
        assert (made.Modality, made.ReferencedSeriesSequence[0].SeriesInstanceUID) == ("SEG", series)
        drawn = np.zeros((3, 120, 160), "<u2")
        drawn[2, 5:50, 5:50] = 1
        sent = opened.put(f"/datastore/label?image={series}", files={"label": ("label.bin", drawn.tobytes())})
        assert sent.json() == {"image": series, "label": series}
        current = opened.get(f"/api/cases/{case}/frames/3/mask").json()
        assert (masks.decode(current["mask"], (120, 160)) == drawn[2]).all()
        assert current["by"] == "MONAI Label"


def test_a_file_that_comes_along_is_not_kept(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        answer = opened.post("/infer/tiny?output=image", files={"file": ("scan.png", png())})
        assert answer.headers["content-disposition"] == 'attachment; filename="0000-scan.nii.gz"'
        image: Any = nibabel.Nifti1Image.from_bytes(gzip.decompress(answer.content))
        assert (expected(tmp_path)[0] == np.asarray(image.dataobj)[:, :, 0].T).all()
        told = opened.post("/infer/tiny?output=json", files={"file": png(lesion=False)}).json()
        assert (told["centroids"], told["frames"][0]["lesions"]) == ({}, [])
        assert opened.get("/api/cases").json() == []


def test_what_is_wrong_is_a_sentence(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        add(opened)
        image = {"image": "scan.png"}
        for params, said in (("[]", "no"), ('{"result_extension": ".mha"}', "result_extension"), ("{", "JSON")):
            refused = opened.post("/infer/tiny", params=image, data={"params": params})
            assert refused.status_code == 422, params
            assert said in refused.json()["error"]
        assert opened.post("/infer/other", params=image).status_code == 404
        for wrong in ({"image": "other"}, {}, {"session_id": "9"}, {"session_id": "x"}, {"session_id": "²"}):
            assert opened.post("/infer/tiny", params=wrong).status_code == 404, wrong
        refused = opened.post("/infer/tiny", params={**image, "output": "dicom_seg"})
        assert refused.status_code == 422
        assert "this is no DICOM" in refused.json()["error"]
        small = volumes.nifti(np.ones((1, 8, 8), np.uint8), AFFINE)
        refused = opened.put("/datastore/label", params=image, files={"label": small})
        assert refused.status_code == 422
        assert "8 x 8 x 1 pixels, its image 160 x 120 x 1" in refused.json()["error"]
        two = [("files", png()), ("files", png())]
        assert opened.put("/session/", files=two).status_code == 422
