import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dicom_files
import sonoseg
from commands import fails
from sonoseg.cli import main
from sonoseg.images.clips import clip_writer
from sonoseg.images.pictures import encode_png, read_mask
from tiny_model import scan, write_model


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny.onnx")
    (tmp_path / "scan.png").write_bytes(encode_png(scan().pixels))
    return tmp_path


def predict(monkeypatch: pytest.MonkeyPatch, place: Path, *words: str) -> int:
    command = ["sonoseg", "predict", *words, "--model", str(place / "tiny.onnx"), "--backend", "onnxruntime"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_one_scan_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    assert predict(monkeypatch, place, str(place / "scan.png"), "--spacing", "0.5", "--no-overlay") == 0
    told = capsys.readouterr().out
    assert told.startswith("1: 39.6 x 19.5 mm")  # 80 x 40 pixels of half a millimetre
    assert "1 lesion in 1 image, 0 without. Research use" in told
    assert {path.name for path in place.iterdir()} == {"tiny.onnx", "scan.png", "scan.json", "scan_mask.png"}


def test_lesions_of_a_clip_are_told_as_counted_in_every_frame(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    pytest.importorskip("av")
    with clip_writer(place / "cine.mp4", 10, "") as writer:
        for lesion in (True, True, False):
            writer.add(np.repeat(scan(lesion=lesion).pixels[..., None], 3, axis=2))
    assert predict(monkeypatch, place, str(place), "--out", str(place / "out")) == 0
    assert "3 lesions in 1 image and 1 clip, counted in every frame, 0 without." in capsys.readouterr().out


def test_no_lesion_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    (place / "scan.png").write_bytes(encode_png(scan(lesion=False).pixels))
    assert predict(monkeypatch, place, str(place / "scan.png")) == 0
    assert "No lesion outlined (confidence" in capsys.readouterr().out
    assert not read_mask(place / "scan_mask.png").any()


@pytest.mark.parametrize(
    ("option", "value"), [("--threshold", "0.99"), ("--smallest-lesion", "0.5"), ("--least-confidence", "0.99")]
)
def test_the_rules_are_adjustable_and_told(
    monkeypatch: pytest.MonkeyPatch, place: Path, option: str, value: str
) -> None:
    usual, other = place / "usual", place / "other"
    assert predict(monkeypatch, place, str(place / "scan.png"), "--out", str(usual)) == 0
    assert predict(monkeypatch, place, str(place / "scan.png"), option, value, "--out", str(other)) == 0
    drawn, fewer = (read_mask(folder / "scan_mask.png") for folder in (usual, other))
    assert fewer.sum() < drawn.sum()
    assert not (fewer & ~drawn).any()
    key = option.removeprefix("--").replace("-", "_")
    described = (json.loads((folder / "scan.json").read_bytes()) for folder in (usual, other))
    assert [found["settings"][key] == float(value) for found in described] == [False, True]


def test_a_failure_names_its_file_and_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    (place / "notes.png").write_text("not a picture")
    assert predict(monkeypatch, place, str(place / "notes.png")) == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert "failed: notes.png: " in said
    assert "hint: " in said


def test_the_public_names_are_there_and_cost_nothing_until_asked_for(place: Path) -> None:
    assert sonoseg.load(place / "tiny.onnx", backend="onnxruntime").predict(scan()).mask.any()
    assert all(getattr(sonoseg, name) for name in sonoseg.__all__)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        sonoseg.lode  # noqa: B018
    code = "import sys, sonoseg; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_dicom_scan_gives_dicom_objects(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    path = dicom_files.write(place / "us.dcm", dicom_files.variants()["plain"])
    wanted = ("--dicom-seg", "--dicom-sr", "--slicer", "--no-overlay")
    assert predict(monkeypatch, place, str(path), *wanted, "--frame-of-reference", "synthetic") == 0
    told = capsys.readouterr()
    assert "Size of a pixel from the ultrasound regions." in told.out
    assert "note" not in told.err
    assert {file.name for file in place.glob("us*")} == {
        "us.dcm", "us.json", "us_mask.png", "us_seg.dcm", "us_sr.dcm", "us.seg.nrrd",
    }  # fmt: skip
    assert predict(monkeypatch, place, str(path), "--dicom-seg", "--overwrite") == 0
    assert "only with --frame-of-reference synthetic" in capsys.readouterr().err
    assert predict(monkeypatch, place, str(path), "--frame-of-reference", "mine") == 2
    assert "none and synthetic are allowed" in capsys.readouterr().err


def test_an_empty_name_is_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(scan().pixels))
    monkeypatch.chdir(tmp_path)
    assert "an empty name" in fails(monkeypatch, capsys, "predict", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_spacing_that_is_empty_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(scan().pixels))
    monkeypatch.chdir(tmp_path)  # an unset variable of a shell
    assert "the spacing '' is not understood" in fails(monkeypatch, capsys, "predict", "a.png", "--spacing", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_what_is_missing_is_told_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sonoseg.prediction.modelfile.load", lambda *given: pytest.fail("the model was loaded"))
    assert "nowhere.png does not exist" in fails(monkeypatch, capsys, "predict", "nowhere.png")


def test_presence_is_told_and_its_rule_adjustable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    write_model(place / "tiny.onnx", presence=True)
    found = []
    for name, words in (("usual", ()), ("all", ("--presence", "0")), ("none", ("--presence", "1"))):
        assert predict(monkeypatch, place, str(place / "scan.png"), "--out", str(place / name), *words) == 0
        found.append(json.loads((place / name / "scan.json").read_bytes()))
        header, row = (line.split(",") for line in (place / name / "lesions.csv").read_text().splitlines())
        assert float(row[header.index("presence")]) == found[-1]["presence"]
    assert [each["settings"]["least_presence"] for each in found] == [0, 0, 1]
    assert [len(each["lesions"]) for each in found] == [1, 1, 0]
    presence = found[0]["presence"]
    assert 0.5 < presence < 0.99
    assert capsys.readouterr().out.count(f"Presence of a lesion {presence:.2f}.") == 2
    assert not read_mask(place / "none" / "scan_mask.png").any()


def test_a_presence_that_cannot_count_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: Path
) -> None:
    scans, model = str(place / "scan.png"), str(place / "tiny.onnx")
    for wrong in ("1.5", "-0.1", "nan", "much"):
        said = fails(monkeypatch, capsys, "predict", scans, "--model", model, "--presence", wrong)
        assert "Invalid value for '--presence'" in said
    said = fails(monkeypatch, capsys, "predict", scans, "--model", model, "--presence", "0.5")
    assert f"error: the model {model} tells no presence" in said
    assert "hint: leave --presence out" in said
    assert {path.name for path in place.iterdir()} == {"tiny.onnx", "scan.png"}
