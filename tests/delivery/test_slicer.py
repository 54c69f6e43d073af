import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sonoseg.delivery.slicer import SlicerWriter
from sonoseg.images.image import Image
from sonoseg.prediction.predictor import Prediction


def prediction(mask: NDArray[np.bool_], spacing: tuple[float, float] | None = None) -> Prediction:
    return Prediction(Image(np.zeros(mask.shape, np.uint8), spacing), mask.astype(np.float32), mask)


def read(path: Path) -> tuple[dict[str, str], NDArray[np.uint8]]:
    head, _, content = path.read_bytes().partition(b"\n\n")
    lines = [line for line in head.decode().splitlines()[1:] if not line.startswith("#")]
    fields = dict(line.replace(":=", ": ", 1).split(": ", 1) for line in lines)
    values = np.frombuffer(gzip.decompress(content), np.uint8)
    return fields, values.reshape([int(side) for side in fields["sizes"].split()][::-1])


def test_lesions_are_segments_largest_first(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), bool)
    mask[2:8, 3:9] = mask[20:36, 10:50] = True
    with SlicerWriter() as writer:
        writer.add(prediction(mask, (0.2, 0.1)))
        assert writer.write(tmp_path / "a.seg.nrrd")
    fields, labels = read(tmp_path / "a.seg.nrrd")
    assert (labels[0] > 0).tolist() == mask.tolist()
    assert (labels[0][21, 11], labels[0][3, 4]) == (1, 2)
    assert fields["space directions"] == "(0.1,0,0) (0,0.2,0) (0,0,1)"
    assert (fields["Segment0_Name"], fields["Segment1_LabelValue"]) == ("Lesion 1", "2")
    assert b"sonoseg" in (tmp_path / "a.seg.nrrd").read_bytes()[:512]


def test_frames_are_slices_and_no_lesion_is_no_file(tmp_path: Path) -> None:
    masks = np.zeros((4, 17, 23), bool)
    masks[2, 5:9, 6:12] = masks[3, 5:9, 16:20] = True
    with SlicerWriter(moves=True) as writer:
        for mask in masks:
            writer.add(prediction(mask))
        assert writer.write(tmp_path / "a.seg.nrrd")
    fields, labels = read(tmp_path / "a.seg.nrrd")
    assert (labels.astype(bool) == masks).all()
    assert "Segment1_ID" not in fields
    with SlicerWriter() as writer:
        writer.add(prediction(masks[0]))
        assert not writer.write(tmp_path / "a.seg.nrrd")
    assert not (tmp_path / "a.seg.nrrd").exists()
