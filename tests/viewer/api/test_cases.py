import io
import json
import zipfile
from pathlib import Path

import jsonschema
import numpy as np
import PIL.Image
import pytest

import dicom_files
import sonoseg
from serving import READER, add, client, png, telling, tiny
from sonoseg.images import masks
from sonoseg.images.pictures import encode_png
from sonoseg.viewer.store import Store
from tiny_model import scan

SCHEMA = json.loads((Path(sonoseg.__file__).parent / "delivery/schema/prediction-1.json").read_text(encoding="utf-8"))


def zip_names(content: bytes) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(content)).namelist())


def drawn(radius: int) -> dict[str, object]:
    rows, columns = np.mgrid[:120, :160]
    return masks.encode((rows - 60) ** 2 + (columns - 80) ** 2 <= radius**2)


def test_pages_and_frames_are_read_and_kept(tmp_path: Path) -> None:
    pages = [PIL.Image.fromarray(scan(lesion=number != 1).pixels) for number in range(3)]
    tiff = io.BytesIO()
    pages[0].save(tiff, "TIFF", save_all=True, append_images=pages[1:])
    with client(tmp_path) as opened:
        found = opened.post("/api/predict", files={"file": tiff.getvalue()}).json()["documents"]
        assert [(each["page"], each["pages"], len(each["lesions"])) for each in found] == [
            (1, 3, 1),
            (2, 3, 0),
            (3, 3, 1),
        ]
        case = add(opened, tiff.getvalue(), "pages.tif")
        assert len(opened.get(f"/api/cases/{case}").json()["frames"]) == 3
        names = zip_names(opened.get(f"/api/cases/{case}/export", params={"kinds": ["mask", "json", "nrrd"]}).content)
        assert names == {
            *(f"0001-pages_page00{n}{end}" for n in (1, 2, 3) for end in (".json", "_mask.png")),
            *(f"0001-pages_page00{n}.seg.nrrd" for n in (1, 3)),
        }


def test_a_clip_is_one_case_and_one_document(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from sonoseg.images.clips import clip_writer

    with clip_writer(tmp_path / "cine.mp4", 25, "") as writer:
        for number in range(3):
            writer.add(np.repeat(scan(lesion=number != 1).pixels[:, :, None], 3, axis=2))
    content = (tmp_path / "cine.mp4").read_bytes()
    with client(tmp_path, telling(tmp_path, least_presence=0.0)) as opened:
        (found,) = opened.post("/api/predict", files={"file": content}).json()["documents"]
        jsonschema.validate(found, SCHEMA)
        assert [len(frame["lesions"]) for frame in found["frames"]] == [1, 0, 1]
        case = add(opened, content, "cine.mp4")
        assert [f["seconds"] for f in opened.get(f"/api/cases/{case}").json()["frames"]] == [0, 0.04, 0.08]
        opened.put(f"/api/cases/{case}/frames/2/mask", json={"reader": READER, "action": "brush", "mask": drawn(20)})
        kept = opened.get(f"/api/cases/{case}/export", params={"kinds": ["json"]}).content
        described = json.loads(zipfile.ZipFile(io.BytesIO(kept)).read("0001-cine.json"))
        jsonschema.validate(described, SCHEMA)
        assert [len(frame["lesions"]) for frame in described["frames"]] == [1, 1, 1]
        assert [round(frame["presence"], 1) for frame in described["frames"]] == [0.7, 0.4, 0.7]
        assert described["frames"][1]["review"]["corrected"]["reader"] == READER


def test_the_page_gets_what_it_draws(tmp_path: Path) -> None:
    predictor = tiny(tmp_path).get()
    with client(tmp_path) as opened:
        case = add(opened)
        place = f"/api/cases/{case}/frames/1"
        picture = PIL.Image.open(io.BytesIO(opened.get(f"{place}/image").content))
        assert (np.asarray(picture) == scan().pixels).all()
        small = PIL.Image.open(io.BytesIO(opened.get(f"/api/cases/{case}/thumbnail").content))
        assert small.size == (96, 72)
        for encoding in ("gzip", "identity"):
            answer = opened.get(f"{place}/probability", headers={"accept-encoding": encoding})
            steps = np.frombuffer(answer.content, "<u2").reshape(120, 160)
        expected = predictor.predict(scan())
        assert ((steps >= 25_000) == (expected.probability >= 0.5)).all()
        current = opened.get(f"{place}/mask").json()
        assert current["by"] is None
        assert (masks.decode(current["mask"], (120, 160)) == expected.mask).all()
        (listed,) = opened.get("/api/cases").json()
        assert (listed["predicted"], listed["lesions"], listed["corrected"]) == (1, 1, 0)


def test_what_a_file_says_of_its_pixels_is_told_as_when_it_is_sent(tmp_path: Path) -> None:
    scan = dicom_files.variants()["with colour flow"]
    content = dicom_files.write(tmp_path / "scan.dcm", scan).read_bytes()
    left, top, right, bottom = scan.inside or (0, 0, 0, 0)
    with client(tmp_path) as opened:
        (sent,) = opened.post("/api/predict", files={"file": content}).json()["documents"]
        case = add(opened, content, "scan.dcm")
        place = f"/api/cases/{case}/frames/1"
        windows = json.loads(opened.get(f"{place}/image").headers["sonoseg-windows"])
        assert windows[0] == [top, left, bottom - top + 1, right - left + 1]
        kept = opened.get(f"{place}/findings").json()
        assert len(kept["notes"]) == 2
        for key in ("notes", "spacing_mm", "lesions"):
            assert kept[key] == sent[key]
        opened.put(f"/api/cases/{case}/spacing", json={"row": 0.1, "column": 0.1})
        (left,) = opened.get(f"{place}/findings").json()["notes"]  # a reader measured it
        assert left in kept["notes"]
        assert "Size of a pixel" not in left


def test_presence_comes_beside_the_probability_and_in_what_is_found(tmp_path: Path) -> None:
    loaded = telling(tmp_path, least_presence=0.5)
    with client(tmp_path, loaded) as opened:
        for number, lesion in enumerate((True, False), 1):
            assert add(opened, png(lesion=lesion), f"{number}.png") == number
            presence = loaded.get().predict(scan(lesion=lesion)).presence
            assert presence is not None
            for encoding in ("gzip", "identity"):
                answer = opened.get(f"/api/cases/{number}/frames/1/probability", headers={"accept-encoding": encoding})
                assert float(answer.headers["sonoseg-presence"]) == presence
            found = opened.get(f"/api/cases/{number}/frames/1/findings").json()
            jsonschema.validate(found, SCHEMA)
            assert (found["presence"], found["settings"]["least_presence"]) == (round(presence, 4), 0.5)
            assert len(found["lesions"]) == lesion
    with client(tmp_path) as opened:
        assert "sonoseg-presence" not in opened.get("/api/cases/1/frames/1/probability").headers
        found = opened.get("/api/cases/1/frames/1/findings").json()
        assert ("presence" in found, "least_presence" in found["settings"]) == (False, False)


def test_a_correction_is_kept_measured_and_told(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        case = add(opened)
        place = f"/api/cases/{case}/frames/1"
        saved = opened.put(f"{place}/mask", json={"reader": READER, "action": "brush", "mask": drawn(25)})
        assert saved.json() == {"id": 1}
        assert opened.put(f"/api/cases/{case}/spacing", json={"row": 0.1, "column": 0.1}).status_code == 204
        judged = opened.post(f"{place}/decisions", json={"reader": READER, "decision": "accepted", "comment": "fine"})
        assert judged.status_code == 201
    with client(tmp_path) as opened:  # another start of the service
        found = opened.get(f"{place}/findings").json()
        jsonschema.validate(found, SCHEMA)
        (lesion,) = found["lesions"]
        assert lesion["longest_diameter"] == pytest.approx(5.1, abs=0.05)
        assert found["unit"] == "mm"
        assert found["review"]["corrected"]["reader"] == READER
        assert found["review"]["decision"]["comment"] == "fine"
        history = opened.get(f"/api/cases/{case}").json()
        assert [(c["reader"], c["action"]) for c in history["corrections"]] == [(READER, "brush")]
        assert history["spacing"] == [0.1, 0.1]
        assert opened.delete(f"/api/cases/{case}/spacing").status_code == 204
        assert opened.get(f"{place}/findings").json()["unit"] == "px"
        assert opened.delete(f"/api/cases/{case}").status_code == 204
        assert opened.get("/api/cases").json() == []


def test_a_stroke_on_a_mask_that_somebody_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        case = add(opened)
        place = f"/api/cases/{case}/frames/1"

        def put(reader: str, radius: int, **known: int) -> tuple[int, dict[str, object]]:
            form = {"reader": reader, "action": "brush", "mask": drawn(radius), **known}
            answer = opened.put(f"{place}/mask", json=form)
            return answer.status_code, answer.json()

        assert put("A", 25, after=0) == (200, {"id": 1})
        assert put("A", 25, after=0) == (200, {"id": 1})  # the same again, whose answer was lost
        status, said = put("B", 20, after=0)
        assert (status, said["error"]) == (409, "A changed this outline meanwhile; what was drawn since was not saved")
        assert put("B", 20, after=1) == (200, {"id": 2})
        assert put("A", 15, after=1)[0] == 409
        assert put("C", 10) == (200, {"id": 3})  # a client that knows nothing of it
        assert put("C", 10, after=-1)[0] == 422
        history = opened.get(f"/api/cases/{case}").json()["corrections"]
        assert [(each["id"], each["reader"]) for each in history] == [(1, "A"), (2, "B"), (3, "C")]


def test_wrong_requests_are_sentences(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        case = add(opened)
        place = f"/api/cases/{case}/frames/1"
        good = {"reader": READER, "action": "brush", "mask": drawn(5)}
        for changed in (
            {"mask": {"size": [3, 3], "counts": [9]}}, {"mask": {"size": [120, 160], "counts": [5]}}, {"reader": ""},
            {"reader": "a\nb"}, {"action": "; DROP"}, {"more": 1}, {"mask": {"size": [120, 160], "counts": [-1]}},
        ):  # fmt: skip
            answer = opened.put(f"{place}/mask", json={**good, **changed})
            assert answer.status_code == 422, changed
            assert answer.json()["error"]
        for path in ("/api/cases/99", "/api/cases/1/frames/9/probability", "/api/cases/1/frames/9/image", "/nowhere"):
            assert opened.get(path).status_code == 404, path
        assert opened.get(f"{place}/probability", params={"model": "other"}).status_code == 404
        assert opened.post("/api/predict", files={"file": png()}, data={"spacing": "wide"}).status_code == 422
        assert opened.put("/api/cases/1/spacing", json={"row": 0, "column": 1}).status_code == 422
        assert opened.get("/api/cases/1").json()["corrections"] == []


def test_a_pixel_size_that_no_scan_has_is_refused_as_when_a_file_is_sent(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        case = add(opened)
        for row, column, right in ((9.9, 9.9, False), (0.1, 9.9, False), (0.01, 0.01, False), (0.1, 0.2, True)):
            kept = opened.put(f"/api/cases/{case}/spacing", json={"row": row, "column": column})
            sent = opened.post("/api/predict", files={"file": png()}, data={"spacing": f"{row},{column}"})
            assert (kept.status_code, sent.status_code) == ((204, 200) if right else (422, 422))
            if not right:
                assert "a scan has 2 to 300 mm" in kept.json()["error"]
        assert opened.get(f"/api/cases/{case}").json()["spacing"] == [0.1, 0.2]
        assert opened.put("/api/cases/9/spacing", json={"row": 0.1, "column": 0.1}).status_code == 404


def test_a_store_that_cannot_be_written_still_shows(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        case = add(opened)
        opened.get(f"/api/cases/{case}/frames/1/probability")
        desk = opened.app.state.desk
        desk._store.close()
        desk._store = Store(tmp_path / "reviews.sqlite3", writable=False)
        refused = opened.put(
            f"/api/cases/{case}/frames/1/mask", json={"reader": READER, "action": "brush", "mask": drawn(5)}
        )
        assert refused.status_code == 503
        assert "nothing was saved" in refused.json()["error"]
        assert opened.get(f"/api/cases/{case}/frames/1/probability").status_code == 200


def test_ten_thousand_cases_are_listed_page_by_page(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        store = opened.app.state.desk.store
        with store._writing() as db:
            db.executemany(
                "INSERT INTO cases (name, sha256, added) VALUES (?, ?, '')",
                ((f"{n}.png", str(n)) for n in range(10_000)),
            )
        seen, after = 0, 0
        while page := opened.get("/api/cases", params={"after": after, "limit": 1000}).json():
            seen, after = seen + len(page), page[-1]["id"]
        assert seen == 10_000


def test_the_picture_is_kept_as_it_was(tmp_path: Path) -> None:
    colours = np.zeros((40, 50, 3), np.uint8)
    colours[:, :25] = (255, 0, 0)
    with client(tmp_path) as opened:
        case = add(opened, encode_png(colours))
        assert opened.get(f"/api/cases/{case}/frames/1/findings").json()["coloured"] is True
