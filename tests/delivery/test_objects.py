import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.fileset import FileSet

import dicom_files
from dicom_files import US_MULTI, Region, Scan
from sonoseg.delivery import batch
from sonoseg.delivery.objects import Objects
from sonoseg.delivery.outputs import Options
from sonoseg.errors import UserError
from sonoseg.images.pictures import encode_png, read_mask
from sonoseg.prediction.predictor import Model, Predictor

ALL = Objects(seg=True, sr=True, sc=True, slicer=True)
BOX = (24, 10, 135, 105)


def sharp(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cuts half way between tissue of 180 and a lesion of 20."""
    return np.asarray(60 * (np.float32(100 / 255) - frames), np.float32)


PREDICTOR = Predictor(sharp, 512, model=Model("tiny", "ab" * 32))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def predict(inputs: list[Path], out: Path, **options: object) -> batch.Summary:
    return batch.run(inputs, PREDICTOR, Options(out=out, overlay=False, **options))  # type: ignore[arg-type]


def test_a_scan_gives_all_objects_and_none_that_is_empty(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    dicom_files.write(tmp_path / "in" / "a.dcm", Scan())
    dicom_files.write(tmp_path / "in" / "b.dcm", Scan(lesion=False))
    summary = predict([tmp_path / "in"], tmp_path / "out", objects=ALL)
    assert not summary.failures
    assert names(tmp_path / "out") == {
        "a.json", "a_mask.png", "a_seg.dcm", "a_sr.dcm", "a_sc.dcm", "a.seg.nrrd",
        "b.json", "b_mask.png", "b_sr.dcm", "b_sc.dcm", "lesions.csv",
    }  # fmt: skip
    segmentation = pydicom.dcmread(tmp_path / "out" / "a_seg.dcm")
    assert (segmentation.pixel_array.astype(bool) == read_mask(tmp_path / "out" / "a_mask.png")).all()
    again = predict([tmp_path / "in"], tmp_path / "out", objects=ALL, resume=True)
    assert (again.kept, again.failures) == (2, [])
    other = predict([tmp_path / "in"], tmp_path / "out", objects=replace(ALL, synthetic=True), resume=True)
    assert (other.kept, other.failures) == (1, [])
    assert "FrameOfReferenceUID" in pydicom.dcmread(tmp_path / "out" / "a_seg.dcm")


def test_a_cine_has_one_segmentation_and_one_report(tmp_path: Path) -> None:
    scan = Scan(frames=5, inside=BOX, regions=(Region(BOX),))
    path = dicom_files.write(tmp_path / "cine.dcm", scan)
    summary = predict([path], tmp_path / "out", objects=ALL)
    assert not summary.failures
    assert names(tmp_path / "out") >= {"cine.json", "cine_sizes.csv", "cine_seg.dcm", "cine_sr.dcm", "cine.seg.nrrd"}
    described = json.loads((tmp_path / "out" / "cine.json").read_text())
    assert described["unit"] == "mm"
    assert len(described["frames"]) == 5
    frames = pydicom.dcmread(tmp_path / "out" / "cine_seg.dcm").pixel_array
    assert [int(frame.sum()) for frame in frames] == [frame["lesions"][0]["pixels"] for frame in described["frames"]]


def test_an_older_segmentation_goes_where_there_is_no_lesion_any_more(tmp_path: Path) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan())
    predict([path], tmp_path / "out", objects=ALL)
    dicom_files.write(path, Scan(lesion=False))
    predict([path], tmp_path / "out", objects=ALL, overwrite=True)
    assert not {"a_seg.dcm", "a.seg.nrrd"} & names(tmp_path / "out")


def test_outputs_beside_their_scan_are_not_predicted(tmp_path: Path) -> None:
    dicom_files.write(tmp_path / "IM1", Scan())
    predict([tmp_path], None, objects=ALL)  # type: ignore[arg-type]
    assert predict([tmp_path], tmp_path / "out", objects=ALL).files == 1


def test_a_picture_is_no_dicom_object_and_slicer_takes_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(dicom_files.grey(Scan())[0]))
    (failure,) = predict([tmp_path / "a.png"], tmp_path / "out", objects=Objects(seg=True)).failures
    assert "is no DICOM" in failure.message
    assert not predict([tmp_path / "a.png"], tmp_path / "two", objects=Objects(slicer=True)).failures
    assert "a.seg.nrrd" in names(tmp_path / "two")


def test_a_study_as_folder_directory_and_archive(tmp_path: Path) -> None:
    study = FileSet()
    for number in range(3):
        path = dicom_files.write(tmp_path / f"{number}", Scan(frames=1 + number % 2), PatientID="P")
        study.add(path)
    study.write(tmp_path / "study")
    folder = predict([tmp_path / "study"], tmp_path / "a")
    listed = predict([tmp_path / "study" / "DICOMDIR"], tmp_path / "b")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in (tmp_path / "study").rglob("*"):
            archive.write(path, path.relative_to(tmp_path / "study"))
    packed = predict([tmp_path / "study.zip"], tmp_path / "c")
    assert [each.images for each in (folder, listed, packed)] == [3, 3, 3]
    assert not folder.failures + listed.failures + packed.failures
    assert names(tmp_path / "a") == names(tmp_path / "b") == names(tmp_path / "c")
    with pytest.raises(UserError, match="its outputs need a folder"):
        batch.run([tmp_path / "study.zip"], PREDICTOR)
    (tmp_path / "study.zip").write_bytes((tmp_path / "study.zip").read_bytes()[:500])
    with pytest.raises(UserError, match="is no whole ZIP archive"):
        predict([tmp_path / "study.zip"], tmp_path / "d")


def spoiled(folder: Path) -> dict[str, str]:
    """Writes a file for each kind of what cannot be predicted, one that can be before and after, and says what of it.

    Names of files -> a part of the sentence.
    """
    folder.mkdir()
    for name in ("a.dcm", "z.dcm"):
        dicom_files.write(folder / name, Scan())
    coded = Scan(syntax=uid.JPEG2000)
    changed: dict[str, tuple[Scan, dict[str, object], str]] = {
        "another_kind": (Scan(), {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "CT Image Storage"),
        "beyond_the_frame": (Scan(regions=(Region((0, 0, 400, 100)),)), {}, "outside its frame"),
        "fewer_frames": (Scan(frames=2, syntax=uid.RLELossless), {"NumberOfFrames": 7}, "holds 2 of the 7 frames"),
        "garbage": (coded, {"PixelData": encapsulate([b"garbage!"])}, "cannot be decoded"),
        "no_frames": (Scan(), {"NumberOfFrames": 0, "SOPClassUID": US_MULTI}, "0 frames"),
        "no_pixels": (Scan(), {"PixelData": None}, "lacks Pixel Data"),
        "no_rows": (Scan(), {"Rows": None}, "lacks Rows"),
        "no_study": (Scan(), {"StudyInstanceUID": None}, "no StudyInstanceUID"),
        "too_short": (Scan(), {"Rows": 240}, "its frames need"),
    }
    for name, (scan, changes, _) in changed.items():
        dicom_files.write(folder / f"{name}.dcm", scan, **changes)
    content = dicom_files.write(folder / "private.dcm", Scan()).read_bytes()
    (folder / "private.dcm").write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0"))
    (folder / "wrong_length.dcm").write_bytes(content.replace(b"PN\x08\0DOE^JANE", b"PN\xfe\x7fDOE^JANE"))
    told = {f"{name}.dcm": sentence for name, (_, _, sentence) in changed.items()}
    return {**told, "private.dcm": "a private one", "wrong_length.dcm": "wrong_length.dcm"}


def test_the_batch_goes_on_and_nobody_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = spoiled(tmp_path / "in")
    summary = predict([tmp_path / "in"], tmp_path / "out", objects=Objects(seg=True, sr=True))
    assert [failure.file for failure in summary.failures] == sorted(expected)
    for failure in summary.failures:
        assert expected[failure.file] in failure.message
        assert failure.hint
        assert "unexpected" not in failure.message
    assert summary.images == 2
    assert not [path for name in expected for path in (tmp_path / "out").glob(f"{Path(name).stem}[._]*")]
    told = caplog.text + "".join(f"{failure.message} {failure.hint}" for failure in summary.failures)
    told += "".join(path.read_text() for path in (tmp_path / "out").glob("*.[cj]s*"))
    source = pydicom.dcmread(tmp_path / "in" / "a.dcm")
    for secret in ("DOE", "4711", "A-17", source.SOPInstanceUID, source.StudyInstanceUID):
        assert secret not in told


KNOWN = {
    "square": Region(BOX, (0.01, 0.01)),
    "anisotropic": Region(BOX, (0.008, 0.015)),
    "negative": Region(BOX, (-0.01, -0.02)),
    "of an odd size": Region((11, 7, 300, 255), (0.0123, 0.0123)),
}


def measured(path: Path, out: Path) -> list[dict[str, float]]:
    """The lesion of each frame of a scan, in mm."""
    predict([path], out)
    described = json.loads((out / f"{path.stem}.json").read_text())
    assert described["unit"] == "mm"
    assert described["notes"] == ["Size of a pixel from the ultrasound regions."]
    frames = described.get("frames", [described])
    assert [len(each["lesions"]) for each in frames] == [1] * len(frames)
    return [each["lesions"][0] for each in frames]


def check_size(lesion: dict[str, float], wide: float, tall: float) -> None:
    """Whether a lesion has the size of an ellipse, in mm."""
    assert lesion["longest_diameter"] == pytest.approx(max(wide, tall), rel=0.01)
    assert lesion["perpendicular_diameter"] == pytest.approx(min(wide, tall), rel=0.01)
    assert lesion["width"] == pytest.approx(wide, rel=0.015)  # to a whole pixel
    assert lesion["depth"] == pytest.approx(tall, rel=0.015)
    assert lesion["area"] == pytest.approx(np.pi / 4 * wide * tall, rel=0.02)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("frames", [1, 2])
def test_diameters_in_mm_are_right_within_a_percent(name: str, frames: int, tmp_path: Path) -> None:
    region = KNOWN[name]
    left, top, right, bottom = box = tuple(3 * side for side in region.box)
    scan = Scan((801, 923), frames, inside=box, regions=(replace(region, box=box),))
    wide, tall = (right - left) / 2 * abs(10 * region.delta[0]), (bottom - top) / 3 * abs(10 * region.delta[1])
    for lesion in measured(dicom_files.write(tmp_path / "scan.dcm", scan), tmp_path / "out"):
        check_size(lesion, wide, tall)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_sizes_hold_where_a_scan_was_resampled(factor: int, tmp_path: Path) -> None:
    box = (20 * factor, 10 * factor, 300 * factor, 230 * factor)
    delta = (0.03 / factor, 0.024 / factor)
    scan = Scan((240 * factor, 320 * factor), inside=box, regions=(Region(box, delta),))
    (lesion,) = measured(dicom_files.write(tmp_path / "scan.dcm", scan), tmp_path / "out")
    check_size(lesion, 140 * 0.3, 220 / 3 * 0.24)


def test_sizes_hold_where_they_change_from_frame_to_frame(tmp_path: Path) -> None:
    box, groups = (30, 21, 830, 760), []
    for number in range(3):
        group = pydicom.Dataset()
        group.SequenceOfUltrasoundRegions = dicom_files.sequence([Region(box, (0.01 * (1 + number), 0.012))])
        groups.append(group)
    path = dicom_files.write(
        tmp_path / "scan.dcm", Scan((801, 923), 3, inside=box), PerFrameFunctionalGroupsSequence=groups
    )
    for number, lesion in enumerate(measured(path, tmp_path / "out"), 1):
        check_size(lesion, 400 * 0.1 * number, 739 / 3 * 0.12)
