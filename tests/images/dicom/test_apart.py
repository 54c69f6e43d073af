import sys
import time
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import as_pixel_options

import dicom_files
from dicom_files import Scan
from sonoseg.errors import UserError
from sonoseg.images.dicom import apart
from sonoseg.images.dicom.apart import BrokenStreamError, decode
from sonoseg.images.dicom.frames import read_frames

SYNTAX = uid.JPEGLosslessSV1


def test_a_broken_stream_ends_another_process_and_the_next_file_is_read(tmp_path: Path) -> None:
    data = pydicom.dcmread(dicom_files.write(tmp_path / "a.dcm", Scan(frames=2, syntax=SYNTAX)))
    frames, options = list(generate_frames(data.PixelData, number_of_frames=2)), as_pixel_options(data)
    options["pixel_keyword"] = "PixelData"
    assert (np.stack([samples for samples, _ in decode(frames, SYNTAX, "gdcm", options)]) == data.pixel_array).all()
    with pytest.raises(BrokenStreamError):
        list(decode([frames[0], b"\xff\xd8 no more"], SYNTAX, "gdcm", options))
    found = decode(frames, SYNTAX, "gdcm", options)
    assert next(found)[1] == "MONOCHROME2"
    found.close()  # left in the middle, as a refused cine is
    assert len(list(decode(frames, SYNTAX, "gdcm", options))) == 2


@pytest.mark.parametrize("doing", ["import os; os.abort()", "import time; time.sleep(60)"])
def test_a_decoder_that_crashes_or_hangs_costs_one_file(
    doing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = dicom_files.write(tmp_path / "a.dcm", Scan(syntax=uid.JPEG2000))
    monkeypatch.setattr(apart, "_idle", [])
    with monkeypatch.context() as broken:
        broken.setattr(apart, "_LONGEST", 0.5)
        broken.setattr(apart, "_COMMAND", [sys.executable, "-c", doing])
        began = time.monotonic()
        with pytest.raises(UserError, match="cannot be decoded"):
            list(read_frames(path))
        assert time.monotonic() - began < 20
    assert len(list(read_frames(path))) == 1
