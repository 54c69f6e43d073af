"""DICOM SEG: the masks of a scan, frame by frame, as an object that refers to the frames it was made of.

highdicom makes the object of one frame; more frames of one instance, which it refuses (its issue 284), are added here.
"""

import tempfile
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from highdicom import PixelMeasuresSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from sonoseg.delivery.dicom.origin import Origin, finish
from sonoseg.delivery.overlay import OUTLINE
from sonoseg.files import replacing
from sonoseg.images.dicom.objects import quiet
from sonoseg.prediction.predictor import Prediction

LEVELS = 255
"""Of a probability in a fractional segmentation."""

THICKNESS = 1.0
"""mm; that of a plane of ultrasound is not known, and the standard asks for one."""

_SINGLE = "1.2.840.10008.5.1.4.1.1.6.1"
"""US Image Storage."""

Spacing = tuple[float, float] | None


@dataclass(frozen=True)
class _Drawn:
    """A frame with a lesion. number: from 1."""

    number: int
    spacing: Spacing


class SegmentationWriter(AbstractContextManager["SegmentationWriter"]):
    """Takes the predictions of a scan one by one and keeps their masks in a file, so that memory does not grow.

    fractional: probabilities and not masks. synthetic: whether to invent a frame of reference, as dcmqi needs one.
    """

    def __init__(self, origin: Origin, fractional: bool = False, synthetic: bool = False) -> None:
        self._origin, self._fractional, self._synthetic = origin, fractional, synthetic
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._rest = np.zeros(0, bool)
        self._drawn: list[_Drawn] = []
        self._first: NDArray[np.bool_] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, number: int, prediction: Prediction) -> None:
        """Take the prediction of frame ``number``, from 1; one without a lesion is not kept."""
        if not prediction.mask.any():
            return
        if self._first is None:
            self._first = prediction.mask
        self._drawn.append(_Drawn(number, prediction.image.spacing))
        if self._fractional:
            self._file.write(np.rint(prediction.probability * LEVELS).astype(np.uint8).tobytes())
            return
        # Frames follow each other without a gap, in the middle of a byte where their pixels do not fill the last one.
        bits = np.concatenate((self._rest, prediction.mask.ravel()))
        whole = len(bits) // 8 * 8
        self._file.write(np.packbits(bits[:whole], bitorder="little").tobytes())
        self._rest = bits[whole:]

    def write(self, path: Path) -> bool:
        """Write the object, whole or not at all; False and no file, no older one either, without a lesion."""
        if self._first is None:
            path.unlink(missing_ok=True)
            return False
        with quiet():  # highdicom quotes names that it finds odd
            made = self._made(self._first)
        self._file.write(np.packbits(self._rest, bitorder="little").tobytes())
        self._file.write(bytes(self._file.tell() % 2))
        self._file.seek(0)
        made.PixelData = self._file
        with quiet(), replacing(path) as temporary:
            made.save_as(temporary, enforce_file_format=True)
        return True

    def _made(self, mask: NDArray[np.bool_]) -> Dataset:
        """The object without its pixels; highdicom makes it of a scan of one frame with ``mask``."""
        stand_in, spacing = self._stand_in(), self._drawn[0].spacing
        way = " fractional" * self._fractional + " synthetic" * self._synthetic
        made = Segmentation(
            source_images=[stand_in],
            pixel_array=mask.astype(np.float32) if self._fractional else mask,
            segmentation_type="FRACTIONAL" if self._fractional else "BINARY",
            segment_descriptions=[_lesion(self._origin)],
            pixel_measures=_measures(spacing),
            max_fractional_value=LEVELS,
            content_label="LESIONS",
            content_description=f"Lesions, outlined by a program{', corrected by a reader' * self._origin.corrected}",
            **self._origin.series("seg", way),
        )
        for element in made.iterall():
            if element.keyword == "ReferencedSOPClassUID":
                element.value = self._origin.header.SOPClassUID
        made.PatientOrientation = ""
        made.BurnedInAnnotation = "NO"
        if self._synthetic:
            _place(made, self._origin)
        if self._origin.several:
            self._add_frames(made)
        return finish(made)

    def _stand_in(self) -> Dataset:
        """The scan as if it had one frame."""
        stand_in = deepcopy(self._origin.header)
        stand_in.SOPClassUID = _SINGLE
        return stand_in

    def _add_frames(self, made: Dataset) -> None:
        """Refer to the frames by number, each with its place in time and, where it changes, its own size of a pixel."""
        same = len({drawn.spacing for drawn in self._drawn}) == 1
        if not same:
            del made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
        template = made.PerFrameFunctionalGroupsSequence[0]
        made.PerFrameFunctionalGroupsSequence = [
            _group(template, place, drawn, None if same else _measures(drawn.spacing))
            for place, drawn in enumerate(self._drawn, 1)
        ]
        made.NumberOfFrames = len(self._drawn)
        organisation = made.DimensionIndexSequence[0].DimensionOrganizationUID
        made.DimensionIndexSequence.append(
            _item(
                DimensionOrganizationUID=organisation,
                DimensionIndexPointer=0x0020_9057,
                FunctionalGroupPointer=0x0020_9111,
                DimensionDescriptionLabel="In-Stack Position Number",
            )
        )


def _group(template: Dataset, place: int, drawn: _Drawn, measures: PixelMeasuresSequence | None) -> Dataset:
    """What one frame of the segmentation says: which frame of the scan it is of."""
    group = deepcopy(template)
    content = _item(DimensionIndexValues=[1, place], StackID="1", InStackPositionNumber=place)
    group.FrameContentSequence = [content]
    if "PlanePositionSequence" in template:
        group.PlanePositionSequence = [_item(ImagePositionPatient=[0, 0, drawn.number - 1])]
    group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = drawn.number
    if measures is not None:
        group.PixelMeasuresSequence = measures
    return group


def _place(made: Dataset, origin: Origin) -> None:
    """Invent where the planes lie: on each other, a millimetre apart, in a frame of reference of their own."""
    made.FrameOfReferenceUID = origin.uid("frame of reference")
    made.PositionReferenceIndicator = ""
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    if "PixelMeasuresSequence" not in shared:
        shared.PixelMeasuresSequence = PixelMeasuresSequence((1.0, 1.0), THICKNESS)
    made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence = [_item(ImagePositionPatient=[0, 0, 0])]


def _lesion(origin: Origin) -> SegmentDescription:
    return SegmentDescription(
        segment_number=1,
        segment_label="Lesion",
        segmented_property_category=codes.cid7150.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.cid7159.Lesion,
        algorithm_type="SEMIAUTOMATIC" if origin.corrected else "AUTOMATIC",
        algorithm_identification=origin.algorithm,
        tracking_uid=origin.uid("tracking of the segment"),
        tracking_id="lesions",
        anatomic_regions=[codes.SCT.Breast],
        display_color=CIELabColor.from_rgb(*OUTLINE),
    )


def _measures(spacing: Spacing) -> PixelMeasuresSequence | None:
    return PixelMeasuresSequence(pixel_spacing=spacing, slice_thickness=THICKNESS) if spacing else None


def _item(**values: object) -> Dataset:
    item = Dataset()
    for key, value in values.items():
        setattr(item, key, value)
    return item
