"""DICOM SR after TID 1500: each lesion of a frame with outline, axes and area, or that there is none.

Of a cine one frame is measured, as a reader does; which one, and how many frames show a lesion, is said. Two groups for
each lesion: viewers draw coordinates and not segments (OHIF's issue 3390), and the measurements of a planar region
(TID 1410) may not hold coordinates, so that the axes are in a group of their own (TID 1501). Each group has a tracking
UID of its own: OHIF takes groups of one UID for one drawing, and draws the outline of the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    ComprehensiveSR,
    CoordinatesForMeasurement,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from highdicom.sr.templates import Template
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from sonoseg.delivery.dicom.origin import Origin, finish
from sonoseg.files import replacing
from sonoseg.images.dicom.objects import MANUFACTURER, quiet
from sonoseg.images.masks import Outline
from sonoseg.prediction.lesions import Lesion, corners

_BREAST_ULTRASOUND = Code("47079000", "SCT", "Ultrasonography of breast")
_ORIENTATION = Code("111354", "DCM", "Orientation")
_ABSENT = Code("2667000", "SCT", "Absent")
_LONG_AXIS, _SHORT_AXIS = Code("103339001", "SCT", "Long Axis"), Code("103340004", "SCT", "Short Axis")
_PIXELS = Code("{pixels}", "UCUM", "pixels")

_CALIPERS = "Cornerstone3DTools@^0.1.0:Bidirectional"
"""By this name, with the meaning "Long Axis", OHIF knows calipers that can be moved."""


@dataclass(frozen=True)
class Shown:
    """The lesions of one frame, ``number`` from 1, of a scan of ``of`` frames, of which ``drawn`` show a lesion."""

    number: int
    lesions: tuple[Lesion, ...]
    of: int = 1
    drawn: int = 0


def largest(frames: Sequence[Shown]) -> Shown:
    """The frame to report of a cine: that with the longest diameter, the first one where none has a lesion."""
    best = max(frames, key=lambda shown: max((lesion.longest_diameter for lesion in shown.lesions), default=0.0))
    return replace(best, of=len(frames), drawn=sum(bool(shown.lesions) for shown in frames))


def write_report(path: Path, origin: Origin, shown: Shown) -> None:
    """Write the report of one frame, whole or not at all; without a lesion in the scan it says that there is none."""
    with quiet(), replacing(path) as temporary:  # highdicom quotes names that it finds odd
        finish(_made(origin, shown)).save_as(temporary, enforce_file_format=True)


def _made(origin: Origin, shown: Shown) -> ComprehensiveSR:
    groups = [group for lesion in shown.lesions for group in _groups(origin, shown, lesion)]
    content = MeasurementReport(
        observation_context=_observers(origin),
        procedure_reported=_BREAST_ULTRASOUND,
        imaging_measurements=groups or [_nothing(origin, shown)],
        title=codes.cid7021.ImagingMeasurementReport,
    )
    return ComprehensiveSR(
        evidence=[origin.header], content=content[0], is_complete=True, is_final=False, is_verified=False,
        **origin.series("sr"),
    )  # fmt: skip


def _observers(origin: Origin) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=origin.uid("device"),
        name="sonoseg",
        manufacturer_name=MANUFACTURER,
        model_name=f"sonoseg, model {origin.predictor.model.name}"[:64],
        serial_number=origin.predictor.model.checksum[:16] or "unknown",
    )
    observer = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)
    return ObservationContext(observer_device_context=observer)


def _groups(
    origin: Origin, shown: Shown, lesion: Lesion
) -> tuple[PlanarROIMeasurementsAndQualitativeEvaluations, MeasurementsAndQualitativeEvaluations]:
    """Outline and area; long and short axis."""
    number, in_mm = shown.number, lesion.unit == "mm"
    outlined, measured = (origin.uid(f"{kind} {lesion.number} of frame {number}") for kind in ("lesion", "axes"))
    about = {
        "finding_type": codes.cid7159.Lesion,
        "finding_sites": [FindingSite(codes.SCT.Breast)],
        "algorithm_id": _algorithm(origin),
    }
    word = codes.cid6152.NotParallel if lesion.depth_to_width > 1 else codes.cid6152.Parallel
    outline = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=outlined, identifier=f"Lesion {lesion.number}"),
        referenced_region=ImageRegion("POLYLINE", _closed(lesion.outlines[0]), _source(origin, number)),
        measurements=[
            Measurement(codes.SCT.Area, round(lesion.area, 4), codes.UCUM.SquareMillimeter if in_mm else _PIXELS)
        ],
        qualitative_evaluations=[QualitativeEvaluation(_ORIENTATION, word)],
        **about,
    )
    lengths = (lesion.longest_diameter, lesion.perpendicular_diameter)
    axes = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=measured, identifier=_CALIPERS),
        measurements=[
            Measurement(
                name,
                round(length, 4),
                codes.UCUM.Millimeter if in_mm else _PIXELS,
                referenced_coordinates=[
                    CoordinatesForMeasurement("POLYLINE", _places(caliper), _source(origin, number))
                ],
            )
            for name, length, caliper in zip((_LONG_AXIS, _SHORT_AXIS), lengths, lesion.calipers, strict=True)
        ],
        **about,
    )
    for sentence in _sentences(shown, lesion):
        _comment(outline, sentence)
    _comment(axes, f"Lesion {lesion.number}")
    return outline, axes


def _sentences(shown: Shown, lesion: Lesion) -> list[str]:
    """What the numbers do not say."""
    said = []
    if shown.of > 1:
        said.append(
            f"Measured on frame {shown.number} of {shown.of}, which shows the longest diameter. "
            f"A lesion is outlined on {shown.drawn} of the {shown.of} frames."
        )
    if holes := len(lesion.outlines) - 1:
        inside = "hole" if holes == 1 else f"{holes} holes"
        said.append(f"The outline is the outer one; the area is without the {inside} inside it.")
    return said


def _comment(group: Template, sentence: str) -> None:
    """Add a sentence to a group, which TID 1501 and 1410 allow as text; highdicom knows evaluations as codes only."""
    said = TextContentItem(codes.DCM.Comment, sentence, RelationshipTypeValues.CONTAINS)
    group[0].ContentSequence.append(said)


def _nothing(origin: Origin, shown: Shown) -> MeasurementsAndQualitativeEvaluations:
    """That the program outlined no lesion, as an answer and not as a silence; of a cine on none of its frames."""
    header = origin.header
    numbers = [shown.number] if origin.several and shown.of == 1 else None
    said = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid=origin.uid("no lesion"), identifier="No lesion outlined"),
        finding_sites=[FindingSite(codes.SCT.Breast)],
        algorithm_id=_algorithm(origin),
        qualitative_evaluations=[QualitativeEvaluation(codes.cid7159.Lesion, _ABSENT)],
        source_images=[SourceImageForMeasurementGroup(header.SOPClassUID, header.SOPInstanceUID, numbers)],
    )
    if shown.of > 1:
        _comment(said, f"No lesion is outlined on any of the {shown.of} frames.")
    return said


def _algorithm(origin: Origin) -> AlgorithmIdentification:
    return AlgorithmIdentification(f"sonoseg, model {origin.predictor.model.name}", origin.version)


def _source(origin: Origin, number: int) -> SourceImageForRegion:
    header = origin.header
    return SourceImageForRegion(header.SOPClassUID, header.SOPInstanceUID, [number] if origin.several else None)


def _closed(outline: Outline) -> NDArray[np.float64]:
    places = _places(corners(outline))
    return np.concatenate((places, places[:1]))


def _places(points: Outline) -> NDArray[np.float64]:
    """(row, column) from the centre of the first pixel -> (column, row) from its corner (PS3.3 C.18.6.1.2)."""
    return np.asarray(points[:, ::-1] + 0.5)
