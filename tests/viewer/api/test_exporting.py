import csv
import io
import zipfile
from pathlib import Path

import PIL.Image
import pytest

from serving import add, client, png


def zip_names(content: bytes) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(content)).namelist())


def test_everything_leaves_as_one_zip_under_harmless_names(tmp_path: Path) -> None:
    with client(tmp_path) as opened:
        add(opened, name="../../etc/passwd.png")
        add(opened, png(lesion=False), "C:\\Müller, Anna.png")
        kinds = ["mask", "overlay", "json", "csv", "coco", "nrrd"]
        answer = opened.get("/api/export", params={"kinds": kinds})
        names = zip_names(answer.content)
        ends = (".json", "_mask.png", "_overlay.png")
        stems = ("0001-passwd", "0002-M-ller-Anna")
        once = {"lesions.csv", "coco.json", "0001-passwd.seg.nrrd", "left-out.txt"}
        assert names == {stem + end for stem in stems for end in ends} | once
        assert opened.get("/api/export", params={"kinds": kinds}).content == answer.content
        table = zipfile.ZipFile(io.BytesIO(answer.content)).read("lesions.csv").decode()
        assert [row["lesions"] for row in csv.DictReader(io.StringIO(table))] == ["1", "0"]
        one = opened.get("/api/export", params={"kinds": ["mask"], "cases": [2]})
        assert zip_names(one.content) == {"0002-M-ller-Anna_mask.png"}
        alone = opened.get("/api/cases/1/export", params={"kinds": ["mask"]})
        assert alone.headers["content-disposition"] == 'attachment; filename="0001-passwd_mask.png"'
        assert PIL.Image.open(io.BytesIO(alone.content)).size == (160, 120)


def test_a_case_that_is_forgotten_meanwhile_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with client(tmp_path) as opened:
        for number in range(3):
            add(opened, png(height=120 + number))
        desk = opened.app.state.desk
        whole = desk.all_reviewed

        async def forgetting(case: int, model: str | None = None) -> object:
            if case == 2:
                desk.store.remove_case(2)
            return await whole(case, model)

        monkeypatch.setattr(desk, "all_reviewed", forgetting)
        files = zipfile.ZipFile(io.BytesIO(opened.get("/api/export", params={"kinds": ["mask"]}).content))
    assert files.namelist() == ["0001-scan_mask.png", "0003-scan_mask.png", "left-out.txt"]
    assert files.read("left-out.txt").startswith(b"0002: there is no case 2")
