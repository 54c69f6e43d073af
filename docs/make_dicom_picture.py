"""Makes ``docs/dicom.png``: segmentation and report of a phantom as OHIF draws them, from an archive on this machine.

    python docs/make_dicom_picture.py

Needs Orthanc, chromium and OHIF's pages as ``tests/ohif.py`` says.
"""

import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

import dicom_files  # noqa: E402
import sonoseg  # noqa: E402
from dicom_files import Region, Scan  # noqa: E402
from ohif import viewing  # noqa: E402
from orthanc import running  # noqa: E402
from sonoseg.data.sets.phantom import draw  # noqa: E402
from sonoseg.delivery.archive import Archive, maker, push  # noqa: E402
from sonoseg.delivery.objects import Objects  # noqa: E402

HEIGHT, WIDTH, BOX = 600, 800, (80, 50, 719, 569)
WANTED = Objects(seg=True, sr=True, synthetic=True)


def written(path: Path) -> str:
    """A phantom as a scanner would send it; gives its study."""
    left, top, right, bottom = BOX
    frame = np.zeros((1, HEIGHT, WIDTH), np.uint8)
    tissue = Image.fromarray(draw(0, 3, "malignant").pixels).resize((right - left + 1, bottom - top + 1))
    frame[0, top : bottom + 1, left : right + 1] = tissue
    data = dicom_files.dataset(Scan((HEIGHT, WIDTH), regions=(Region(BOX, (0.006, 0.006)),)), frame)
    data.PatientName, data.PatientID = "Phantom", "0"
    data.save_as(path, enforce_file_format=True)
    return str(data.StudyInstanceUID)


def main() -> None:
    """Write the picture."""
    with TemporaryDirectory() as folder, running(Path(folder) / "orthanc") as archive:
        path = Path(folder) / "scan.dcm"
        study, make = written(path), maker(sonoseg.load("default"), WANTED, Path(folder) / "made")
        push(Archive(archive.web), [path, *(made for made in make(path) if made.suffix == ".dcm")])
        shots = []
        for modality in ("SEG", "SR"):
            with viewing(archive, study) as viewer:
                viewer.show(modality)
                shots.append(viewer.shot())
        pictures = [np.asarray(Image.open(BytesIO(shot)).convert("RGB")) for shot in shots]
    Image.fromarray(np.concatenate(pictures, axis=1)).quantize(255).save(DOCS / "dicom.png", optimize=True)


if __name__ == "__main__":
    main()
