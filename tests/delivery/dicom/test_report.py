from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest

import dicom_files
from dicom_files import Region, Scan
from sonoseg.delivery.dicom.report import Shown, largest, write_report

IN_MM = (Region((0, 0, 159, 119), (0.01, 0.02)),)


def report(folder: Path, scan: Scan) -> tuple[highdicom.sr.ComprehensiveSR, Shown]:
    origin, predictions = dicom_files.predicted(dicom_files.write(folder / "scan.dcm", scan))
    shown = largest([Shown(number, each.lesions) for number, each in enumerate(predictions, 1)])
    write_report(folder / "sr.dcm", origin, shown)
    assert not dicom_files.faults(folder / "sr.dcm")
    return highdicom.sr.srread(folder / "sr.dcm"), shown


def comments(made: highdicom.sr.ComprehensiveSR) -> list[str]:
    """Sentences in the groups, but for the names of lesions."""
    items = [each for each in made.iterall() if each.keyword == "ContentSequence"]
    texts = [item for sequence in items for item in sequence.value if item.ValueType == "TEXT"]
    said = [text.TextValue for text in texts if text.ConceptNameCodeSequence[0].CodeMeaning == "Comment"]
    return [sentence for sentence in said if not sentence.startswith("Lesion ")]


def test_a_lesion_has_an_outline_and_calipers(tmp_path: Path) -> None:
    made, shown = report(tmp_path, Scan(regions=IN_MM))
    (lesion,) = shown.lesions
    (outline,) = made.content.get_planar_roi_measurement_groups()
    (area,) = outline.get_measurements()
    assert (area.unit.value, area.value) == ("mm2", pytest.approx(lesion.area, abs=1e-3))
    places = outline.roi.value
    assert (places[0] == places[-1]).all()
    assert np.ptp(places[:, 0]) == pytest.approx(lesion.box[3], abs=1)
    assert places[:, 0].min() == pytest.approx(lesion.box[1], abs=0.51)  # from the corner of the first pixel
    (axes,) = made.content.get_image_measurement_groups()
    assert axes.tracking_identifier.endswith(":Bidirectional")
    assert axes.tracking_uid != outline.tracking_uid  # OHIF draws one thing for one UID
    lengths = {each.name.meaning: each for each in axes.get_measurements()}
    assert lengths["Long Axis"].value == pytest.approx(lesion.longest_diameter, abs=1e-3)
    assert lengths["Short Axis"].value == pytest.approx(lesion.perpendicular_diameter, abs=1e-3)
    ends = lengths["Long Axis"].referenced_coordinates[0].value
    assert np.hypot(*((ends[1] - ends[0]) * (0.1, 0.2))) == pytest.approx(lesion.longest_diameter, rel=1e-4)
    words = {each.name.value: each.value.value for each in outline.get_qualitative_evaluations()}
    assert words["111354"] == ("111356" if lesion.depth_to_width > 1 else "111355")


def test_lesions_are_told_apart(tmp_path: Path) -> None:
    origin, (prediction,) = dicom_files.predicted(dicom_files.write(tmp_path / "scan.dcm", Scan(regions=IN_MM)))
    mask = prediction.mask.copy()
    mask[:, 78:82] = False
    parted = replace(prediction, mask=mask)
    write_report(tmp_path / "sr.dcm", origin, Shown(1, parted.lesions))
    assert not dicom_files.faults(tmp_path / "sr.dcm")
    content = highdicom.sr.srread(tmp_path / "sr.dcm").content
    outlines, axes = content.get_planar_roi_measurement_groups(), content.get_image_measurement_groups()
    assert [group.tracking_identifier for group in outlines] == ["Lesion 1", "Lesion 2"]
    assert len({group.tracking_uid for group in (*outlines, *axes)}) == 4
    assert [group[0].ContentSequence[-1].TextValue for group in axes] == ["Lesion 1", "Lesion 2"]
    for group, lesion in zip(axes, parted.lesions, strict=True):
        assert group.get_measurements()[0].value == pytest.approx(lesion.longest_diameter, abs=1e-3)
        assert group[0].ContentSequence[0].TextValue.endswith(":Bidirectional")


def test_no_lesion_is_said(tmp_path: Path) -> None:
    for scan in (Scan(lesion=False), Scan(lesion=False, frames=3)):
        made, shown = report(tmp_path, scan)
        assert (shown.number, shown.lesions) == (1, ())
        assert not made.content.get_planar_roi_measurement_groups()
        (group,) = made.content.get_image_measurement_groups()
        (answer,) = group.get_qualitative_evaluations()
        assert (answer.name.meaning, answer.value.meaning) == ("Lesion", "Absent")
        said = ["No lesion is outlined on any of the 3 frames."] if scan.frames == 3 else []
        assert comments(made) == said
        (source,) = group.source_images
        assert source.referenced_frame_numbers is None  # which is all of them


def test_without_a_spacing_lengths_are_in_pixels(tmp_path: Path) -> None:
    made, shown = report(tmp_path, Scan())
    (axes,) = made.content.get_image_measurement_groups()
    first = axes.get_measurements()[0]
    assert (first.unit.value, first.value) == ("{pixels}", pytest.approx(shown.lesions[0].longest_diameter, abs=1e-3))


def test_a_cine_reports_the_frame_with_the_longest_diameter(tmp_path: Path) -> None:
    origin, predictions = dicom_files.predicted(dicom_files.write(tmp_path / "scan.dcm", Scan(frames=3)))
    shown = [Shown(1, ()), Shown(2, predictions[1].lesions), Shown(3, ())]
    assert largest(shown).number == 2
    write_report(tmp_path / "sr.dcm", origin, largest(shown))
    assert not dicom_files.faults(tmp_path / "sr.dcm")
    made = pydicom.dcmread(tmp_path / "sr.dcm")
    numbers = {element.value for element in made.iterall() if element.keyword == "ReferencedFrameNumber"}
    assert numbers == {2}
    (sentence,) = comments(highdicom.sr.srread(tmp_path / "sr.dcm"))
    assert sentence == (
        "Measured on frame 2 of 3, which shows the longest diameter. A lesion is outlined on 1 of the 3 frames."
    )


def test_a_hole_is_in_the_area_and_said_of_the_outline(tmp_path: Path) -> None:
    origin, (prediction,) = dicom_files.predicted(dicom_files.write(tmp_path / "scan.dcm", Scan(regions=IN_MM)))
    mask = prediction.mask.copy()
    mask[58:62, 78:82] = False
    holed = replace(prediction, mask=mask)
    assert len(holed.lesions[0].outlines) == 2
    write_report(tmp_path / "sr.dcm", origin, Shown(1, holed.lesions))
    assert not dicom_files.faults(tmp_path / "sr.dcm")
    made = highdicom.sr.srread(tmp_path / "sr.dcm")
    assert comments(made) == ["The outline is the outer one; the area is without the hole inside it."]
    (outline,) = made.content.get_planar_roi_measurement_groups()
    (area,) = outline.get_measurements()
    assert area.value == pytest.approx(mask.sum() * 0.1 * 0.2, abs=1e-3)


def test_dcmqi_reads_the_report(tmp_path: Path) -> None:
    report(tmp_path, Scan(regions=IN_MM))
    target = tmp_path / "sr.json"
    dicom_files.dcmqi("tid1500reader", "--inputDICOM", str(tmp_path / "sr.dcm"), "--outputMetadata", str(target))
    assert "Area" in target.read_text()
