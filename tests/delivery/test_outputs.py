import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import PIL.Image
import pytest

import sonoseg
from sonoseg.delivery import overlay
from sonoseg.delivery.document import sentences
from sonoseg.delivery.outputs import Job, Options, Outcome
from sonoseg.images.clips import clip_writer
from sonoseg.images.pictures import read_mask
from sonoseg.images.reading import Found, find
from sonoseg.prediction.modelfile import load
from sonoseg.prediction.predictor import Predictor
from tiny_model import scan, write_model
from trees import contents, names, table

SCHEMA = json.loads((Path(sonoseg.__file__).parent / "delivery" / "schema" / "prediction-1.json").read_text())


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(write_model(tmp_path_factory.mktemp("model") / "tiny.onnx", gates=1), "onnxruntime", threads=1)


def predicted(path: Path, predictor: Predictor, options: Options | None = None) -> Outcome:
    return Job(predictor, options or Options()).predict(*find([path]))


def test_one_file_gets_its_outputs_beside_it(tmp_path: Path, predictor: Predictor) -> None:
    PIL.Image.fromarray(scan().pixels).save(tmp_path / "scan.png")
    outcome = predicted(tmp_path / "scan.png", predictor)
    assert names(tmp_path) == ["scan.json", "scan.png", "scan_mask.png", "scan_overlay.png"]
    assert (len(outcome.documents), outcome.failures, outcome.kept) == (1, [], False)
    found = json.loads((tmp_path / "scan.json").read_text(encoding="utf-8"))
    assert outcome.documents == [found]
    jsonschema.validate(found, SCHEMA)
    assert found["outputs"] == {"mask": "scan_mask.png", "overlay": "scan_overlay.png"}
    mask = read_mask(tmp_path / "scan_mask.png")
    assert mask.sum() == found["lesions"][0]["pixels"]
    with PIL.Image.open(tmp_path / "scan_mask.png") as picture:
        picture.load()
        assert set(np.unique(np.asarray(picture))) == {0, 255}
        assert predictor.model.checksum in picture.info["Model"]
        assert sonoseg.__version__ in picture.info["Software"]


def test_no_lesion_is_an_answer(tmp_path: Path, predictor: Predictor) -> None:
    PIL.Image.fromarray(scan(lesion=False).pixels).save(tmp_path / "normal.png")
    assert predicted(tmp_path / "normal.png", predictor).failures == []
    assert not read_mask(tmp_path / "normal_mask.png").any()
    assert json.loads((tmp_path / "normal.json").read_text())["lesions"] == []


def test_presence_is_told_in_every_output(tmp_path: Path) -> None:
    telling = load(write_model(tmp_path / "tiny.onnx", presence=True), "onnxruntime", threads=1)
    silent = replace(telling, least_presence=0.99)
    PIL.Image.fromarray(scan().pixels).save(tmp_path / "scan.png")
    (told,), (none,) = (
        predicted(tmp_path / "scan.png", each, Options(tmp_path / name)).documents
        for name, each in (("told", telling), ("silent", silent))
    )
    assert 0.5 < told["presence"] == none["presence"] < 0.99
    assert (len(told["lesions"]), none["lesions"]) == (1, [])
    jsonschema.validate(none, SCHEMA)
    assert not read_mask(tmp_path / "silent" / "scan_mask.png").any()
    untold = {key: value for key, value in told.items() if key != "presence"}
    prediction = telling.predict(scan())
    with PIL.Image.open(tmp_path / "told" / "scan_overlay.png") as picture:
        drawn = np.asarray(picture)
    made_by = Job(telling, Options())._made_by
    with_it, without = (overlay.draw(prediction, [*sentences(each), made_by]) for each in (told, untold))
    assert np.array_equal(drawn, with_it)
    assert with_it.shape[0] > without.shape[0]  # a line more


def test_spacing_gives_mm(tmp_path: Path, predictor: Predictor) -> None:
    PIL.Image.fromarray(scan().pixels).save(tmp_path / "scan.png")
    predicted(tmp_path / "scan.png", predictor, Options(spacing=(0.2, 0.1)))
    found = json.loads((tmp_path / "scan.json").read_text())
    assert (found["unit"], found["spacing_mm"]) == ("mm", [0.2, 0.1])
    assert found["lesions"][0]["width"] == pytest.approx(8, abs=0.3)
    assert found["lesions"][0]["depth"] == pytest.approx(8, abs=0.6)


def test_a_broken_page_leaves_the_others(tmp_path: Path, predictor: Predictor) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    pages = [PIL.Image.fromarray(page) for page in (scan().pixels, noise)]
    path = tmp_path / "pages.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 3000])
    outcome = predicted(path, predictor, Options(tmp_path / "out"))
    assert len(outcome.documents) + len(outcome.failures) >= 1
    assert all("pages.tif" in failure.file for failure in outcome.failures)


def test_a_clip_gets_a_video_and_its_size_over_time(tmp_path: Path, predictor: Predictor) -> None:
    pytest.importorskip("av")
    with clip_writer(tmp_path / "cine.mp4", 10, "") as writer:
        for lesion in (True, True, False):
            writer.add(np.repeat(scan(lesion=lesion).pixels[..., None], 3, axis=2))
    out = tmp_path / "out"
    outcome = predicted(tmp_path / "cine.mp4", predictor, Options(out, spacing=(0.1, 0.1)))
    assert names(out) == ["cine.json", "cine_overlay.mp4", "cine_sizes.csv"]
    (found,) = outcome.documents
    assert [len(frame["lesions"]) for frame in found["frames"]] == [1, 1, 0]
    jsonschema.validate(json.loads((out / "cine.json").read_text()), SCHEMA)
    rows = table(out / "cine_sizes.csv")
    assert [row["lesions"] for row in rows] == ["1", "1", "0"]
    assert [row["seconds"] for row in rows] == ["0.0", "0.1", "0.2"]
    assert float(rows[0]["longest_diameter"]) == pytest.approx(8, abs=0.3)
    before = contents(out)
    assert predicted(tmp_path / "cine.mp4", predictor, Options(out, spacing=(0.1, 0.1), resume=True)).kept
    predicted(tmp_path / "cine.mp4", predictor, Options(out, spacing=(0.1, 0.1), overwrite=True))
    assert contents(out) == before
    shutil.rmtree(out)
    predicted(tmp_path / "cine.mp4", predictor, Options(out, overlay=False))
    assert names(out) == ["cine.json", "cine_sizes.csv"]


def test_a_clip_is_made_again_by_resume_where_its_video_is_ours(tmp_path: Path, predictor: Predictor) -> None:
    pytest.importorskip("av")
    with clip_writer(tmp_path / "cine.mp4", 10, "of somebody else") as writer:
        for _ in range(200):  # the index before the comment grows with the frames
            writer.add(np.repeat(scan(48, 64).pixels[..., None], 3, axis=2))
    out = tmp_path / "out"
    predicted(tmp_path / "cine.mp4", predictor, Options(out))
    other = Options(out, spacing=(0.5, 0.5), resume=True)
    assert not predicted(tmp_path / "cine.mp4", predictor, other).failures
    assert json.loads((out / "cine.json").read_text())["unit"] == "mm"
    for content in ((tmp_path / "cine.mp4").read_bytes(), b"\0\0\0\x18ftypmp42"):
        (out / "cine_overlay.mp4").write_bytes(content)
        (failure,) = predicted(tmp_path / "cine.mp4", predictor, Options(out, resume=True)).failures
        assert "cine_overlay.mp4 stands already" in failure.message
        assert (out / "cine_overlay.mp4").read_bytes() == content


def test_a_broken_clip_leaves_nothing(tmp_path: Path, predictor: Predictor) -> None:
    pytest.importorskip("av")
    (tmp_path / "cine.mp4").write_bytes(b"no clip")
    outcome = predicted(tmp_path / "cine.mp4", predictor, Options(tmp_path / "out"))
    assert "cannot be decoded" in outcome.failures[0].message
    assert names(tmp_path) == ["cine.mp4"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_does_not_hang(tmp_path: Path, predictor: Predictor) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (failure,) = predicted(tmp_path / "pipe.png", predictor).failures
    assert "is not a file" in failure.message


def test_two_files_never_write_the_same_output(tmp_path: Path, predictor: Predictor) -> None:
    for name in ("a.png", "b.png"):
        PIL.Image.fromarray(scan().pixels).save(tmp_path / name)
    job = Job(predictor, Options(tmp_path / "out", overwrite=True))
    assert job.predict(Found(tmp_path / "a.png", "a.png", "same")).failures == []
    before = contents(tmp_path / "out")
    (failure,) = job.predict(Found(tmp_path / "b.png", "b.png", "same")).failures
    assert "same_mask.png is written for a.png" in failure.message
    assert contents(tmp_path / "out") == before
