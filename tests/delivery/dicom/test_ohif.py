"""What OHIF draws of segmentations and reports; see ``ohif``."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

import dicom_files
from dicom_files import Region, Scan
from ohif import CHROMIUM, FOLDER, viewing
from orthanc import Orthanc, running
from sonoseg.delivery.archive import Archive, push
from sonoseg.delivery.dicom.report import Shown, largest, write_report
from sonoseg.delivery.dicom.segmentation import SegmentationWriter
from sonoseg.prediction.predictor import Prediction

pytestmark = pytest.mark.skipif(
    not FOLDER or not CHROMIUM, reason="SONOSEG_OHIF does not name OHIF's pages, or there is no chromium"
)

IN_MM = (Region((0, 0, 159, 119), (0.01, 0.02)),)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    with running(tmp_path / "orthanc") as started:
        yield started


def stored(archive: Orthanc, folder: Path, scan: Scan) -> tuple[str, list[Prediction]]:
    """Puts a scan, its segmentation and its report into an archive; gives the study and what was predicted."""
    path = dicom_files.write(folder / "scan.dcm", scan)
    origin, predictions = dicom_files.predicted(path)
    if len(predictions) > 2:  # a lesion is not seen on every frame
        predictions[1] = replace(predictions[1], mask=np.zeros_like(predictions[1].mask))
    with SegmentationWriter(origin, synthetic=True) as writer:
        for number, prediction in enumerate(predictions, 1):
            writer.add(number, prediction)
        writer.write(folder / "seg.dcm")
    write_report(folder / "sr.dcm", origin, largest([Shown(n, each.lesions) for n, each in enumerate(predictions, 1)]))
    push(Archive(archive.web), [path, folder / "seg.dcm", folder / "sr.dcm"])
    return str(pydicom.dcmread(path).StudyInstanceUID), predictions


@pytest.mark.parametrize("scan", [Scan(regions=IN_MM), Scan(multi=True), Scan(frames=3)], ids=["us", "one", "cine"])
def test_a_segmentation_is_drawn_pixel_for_pixel(scan: Scan, archive: Orthanc, tmp_path: Path) -> None:
    study, predictions = stored(archive, tmp_path, scan)
    with viewing(archive, study) as viewer:
        viewer.show("SEG")
        labels = viewer.labels()
    masks = {number: np.flatnonzero(each.mask).tolist() for number, each in enumerate(predictions, 1)}
    assert labels == masks


def test_a_report_is_drawn_and_its_calipers_measure_the_same(archive: Orthanc, tmp_path: Path) -> None:
    study, predictions = stored(archive, tmp_path, Scan(regions=IN_MM, frames=3))
    best = max((lesion for each in predictions for lesion in each.lesions), key=lambda lesion: lesion.longest_diameter)
    with viewing(archive, study) as viewer:
        viewer.show("SR")
        lines = viewer.drawn("DICOMSRDisplay")
        viewer.agree()
        (calipers,) = viewer.drawn("Bidirectional")
    assert len(lines) == 2  # the outline, the axes
    ends = np.array(calipers["points"])[:, 1::-1]
    assert ends == pytest.approx(np.array(best.calipers).reshape(4, 2), abs=0.01)
    (sizes,) = calipers["sizes"]
    assert (10 * sizes["length"], 10 * sizes["width"]) == pytest.approx(
        (best.longest_diameter, best.perpendicular_diameter), rel=0.01
    )
