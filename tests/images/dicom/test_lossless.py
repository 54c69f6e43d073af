from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import as_pixel_options

import dicom_files
from dicom_files import Scan
from sonoseg.images.dicom.lossless import BrokenStreamError, decode

SYNTAX = uid.JPEGLosslessSV1


def test_a_broken_stream_ends_another_process_and_the_next_file_is_read(tmp_path: Path) -> None:
    data = pydicom.dcmread(dicom_files.write(tmp_path / "a.dcm", Scan(frames=2, syntax=SYNTAX)))
    frames, options = list(generate_frames(data.PixelData, number_of_frames=2)), as_pixel_options(data)
    options["pixel_keyword"] = "PixelData"
    assert (np.stack([samples for samples, _ in decode(frames, SYNTAX, options)]) == data.pixel_array).all()
    with pytest.raises(BrokenStreamError):
        list(decode([frames[0], b"\xff\xd8 no more"], SYNTAX, options))
    found = decode(frames, SYNTAX, options)
    assert next(found)[1] == "MONOCHROME2"
    found.close()  # left in the middle, as a refused cine is
    assert len(list(decode(frames, SYNTAX, options))) == 2
