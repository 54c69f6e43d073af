from dataclasses import replace
from pathlib import Path

import highdicom
import nrrd
import numpy as np
import pydicom
import pytest
from pydicom import uid

import dicom_files
from dicom_files import Region, Scan
from sonoseg.delivery.dicom.origin import Origin
from sonoseg.delivery.dicom.report import Shown, largest, write_report
from sonoseg.delivery.dicom.segmentation import LEVELS, SegmentationWriter
from sonoseg.prediction.predictor import Prediction

VARIANTS = dicom_files.variants()


def written(
    folder: Path, scan: Scan, fractional: bool = False, synthetic: bool = False, **changes: object
) -> tuple[Path, list[Prediction], Origin]:
    """The segmentation of a scan, and what was predicted."""
    origin, predictions = dicom_files.predicted(dicom_files.write(folder / "scan.dcm", scan, **changes))
    with SegmentationWriter(origin, fractional, synthetic) as writer:
        for number, prediction in enumerate(predictions, 1):
            writer.add(number, prediction)
        assert writer.write(folder / "seg.dcm")
    return folder / "seg.dcm", predictions, origin


def reported(predictions: list[Prediction]) -> Shown:
    """What a report says of a scan."""
    return largest([Shown(number, each.lesions) for number, each in enumerate(predictions, 1)])


def masks(path: Path, count: int) -> list[np.ndarray]:
    """The mask of each frame of the scan, read back by highdicom."""
    segmentation = highdicom.seg.segread(path)
    frames = segmentation.pixel_array.reshape(-1, segmentation.Rows, segmentation.Columns)
    found = [np.zeros(frames.shape[1:], bool) for _ in range(count)]
    groups = segmentation.PerFrameFunctionalGroupsSequence
    assert len(groups) == len(frames)
    for frame, group in zip(frames, groups, strict=True):
        source = group.DerivationImageSequence[0].SourceImageSequence[0]
        found[int(source.get("ReferencedFrameNumber", 1)) - 1] = frame.astype(bool)
    return found


def test_there_are_forty_variants() -> None:
    assert len(VARIANTS) >= 40


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_written_is_valid_and_holds_what_was_predicted(name: str, tmp_path: Path) -> None:
    scan = VARIANTS[name]
    path, predictions, origin = written(tmp_path, scan)
    for mask, prediction in zip(masks(path, scan.frames), predictions, strict=True):
        assert mask.any()
        assert (mask == prediction.mask).all()
    source, made = pydicom.dcmread(tmp_path / "scan.dcm"), pydicom.dcmread(path)
    references = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert references.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert references.ReferencedSOPClassUID == source.SOPClassUID
    assert ("ReferencedFrameNumber" in references) == ("NumberOfFrames" in source)
    assert len(made.SegmentSequence[0].RecommendedDisplayCIELabValue) == 3
    assert (made.StudyInstanceUID, made.PatientID) == (source.StudyInstanceUID, source.PatientID)
    assert not dicom_files.faults(path)
    write_report(tmp_path / "sr.dcm", origin, reported(predictions))
    assert not dicom_files.faults(tmp_path / "sr.dcm")


def test_frames_without_a_lesion_are_left_out_and_none_is_no_file(tmp_path: Path) -> None:
    origin, predictions = dicom_files.predicted(dicom_files.write(tmp_path / "scan.dcm", Scan((61, 67), frames=5)))
    empty = replace(predictions[0], mask=np.zeros_like(predictions[0].mask))
    predictions = [empty, predictions[1], empty, predictions[3], empty]
    with SegmentationWriter(origin) as writer:
        for number, prediction in enumerate(predictions, 1):
            writer.add(number, prediction)
        assert writer.write(tmp_path / "seg.dcm")
    found = masks(tmp_path / "seg.dcm", 5)
    assert all((mask == prediction.mask).all() for mask, prediction in zip(found, predictions, strict=True))
    assert pydicom.dcmread(tmp_path / "seg.dcm").NumberOfFrames == 2
    assert not dicom_files.faults(tmp_path / "seg.dcm")
    with SegmentationWriter(origin) as writer:
        writer.add(1, empty)
        assert not writer.write(tmp_path / "none.dcm")
    assert not (tmp_path / "none.dcm").exists()


@pytest.mark.parametrize("frames", [1, 3])
def test_probabilities_on_request(frames: int, tmp_path: Path) -> None:
    path, predictions, _ = written(tmp_path, Scan(frames=frames), fractional=True)
    values = pydicom.dcmread(path).pixel_array.reshape(frames, 120, 160)
    for level, prediction in zip(values, predictions, strict=True):
        assert np.abs(level / LEVELS - prediction.probability).max() <= 0.5 / LEVELS + 1e-6
    assert not dicom_files.faults(path)


@pytest.mark.parametrize("name", VARIANTS)
def test_dcmqi_reads_the_report_and_with_an_invented_frame_of_reference_the_masks(name: str, tmp_path: Path) -> None:
    scan = VARIANTS[name]
    path, predictions, origin = written(tmp_path, scan, synthetic=True)
    assert not dicom_files.faults(path)
    dicom_files.dcmqi("segimage2itkimage", "--inputDICOM", str(path), "--outputDirectory", str(tmp_path), "-t", "nrrd")
    (converted,) = tmp_path.glob("*.nrrd")
    volume, _ = nrrd.read(str(converted), index_order="C")
    assert (volume.astype(bool) == np.stack([prediction.mask for prediction in predictions])).all()
    write_report(tmp_path / "sr.dcm", origin, reported(predictions))
    target = tmp_path / "sr.json"
    dicom_files.dcmqi("tid1500reader", "--inputDICOM", str(tmp_path / "sr.dcm"), "--outputMetadata", str(target))
    assert "Area" in target.read_text()


def test_no_frame_of_reference_is_invented_unasked(tmp_path: Path) -> None:
    path, _, _ = written(tmp_path, Scan(frames=2))
    assert "FrameOfReferenceUID" not in pydicom.dcmread(path)


def test_the_size_of_a_pixel_goes_along_also_where_it_changes(tmp_path: Path) -> None:
    path, predictions, origin = written(tmp_path, Scan(regions=(Region((0, 0, 159, 119), (0.01, 0.02)),), frames=2))
    shared = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [0.2, 0.1]
    with SegmentationWriter(origin) as writer:
        for number, prediction in enumerate(predictions, 1):
            writer.add(number, replace(prediction, image=replace(prediction.image, spacing=(0.1 * number, 0.2))))
        writer.write(path)
    groups = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    assert [float(group.PixelMeasuresSequence[0].PixelSpacing[0]) for group in groups] == [0.1, 0.2]
    assert not dicom_files.faults(path)


def test_the_same_scan_gives_the_same_uids_and_other_settings_others(tmp_path: Path) -> None:
    scan = dicom_files.write(tmp_path / "scan.dcm", Scan())
    first, again = dicom_files.predicted(scan)[0], dicom_files.predicted(scan)[0]
    assert first.uid("seg") == again.uid("seg") != first.uid("sr")
    assert replace(first, settings="another").uid("seg") != first.uid("seg")
    made = [
        pydicom.dcmread(written(tmp_path, Scan(), fractional, synthetic, SOPInstanceUID="1.2.840.1")[0])
        for fractional in (False, True)
        for synthetic in (False, True)
    ]
    assert len({each.SOPInstanceUID for each in made}) == len({each.SeriesInstanceUID for each in made}) == 4
    assert uid.UID(first.uid("seg")).is_valid
