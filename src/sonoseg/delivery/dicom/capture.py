"""DICOM Secondary Capture: the outline drawn on the frame, for an archive that shows neither SEG nor SR."""

from pathlib import Path

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from sonoseg.delivery.dicom.origin import LOSSY, Origin, finish
from sonoseg.files import replacing
from sonoseg.images.dicom.objects import quiet


def write_capture(path: Path, origin: Origin, pixels: NDArray[np.uint8], number: int) -> None:
    """Write a picture, ``uint8 (H, W, 3)``, of frame ``number`` of the scan, from 1, whole or not at all."""
    with quiet(), replacing(path) as temporary:  # highdicom quotes names that it finds odd
        finish(_made(origin, pixels, number)).save_as(temporary, enforce_file_format=True)


def _made(origin: Origin, pixels: NDArray[np.uint8], number: int) -> SCImage:
    made = SCImage.from_ref_dataset(
        origin.header,
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **origin.series("sc"),
    )
    made["PatientOrientation"].value = ""  # which highdicom does not let stand
    made.Laterality = ""
    made.Modality, made.ImageType = "US", ["DERIVED", "SECONDARY"]
    made.BurnedInAnnotation = "YES"
    for key in LOSSY:
        if key in origin.header:
            made[key] = origin.header[key]
    source = Dataset()
    source.ReferencedSOPClassUID = origin.header.SOPClassUID
    source.ReferencedSOPInstanceUID = origin.header.SOPInstanceUID
    if origin.several:
        source.ReferencedFrameNumber = number
    made.SourceImageSequence = [source]
    return made
