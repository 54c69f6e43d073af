"""A cine in DICOM, read, predicted and written as SEG: frames a second, and whether memory grows with the frames.

    python benchmarks/dicom.py [--frames 200] [--threads 2] [--model default]

Makes cines of a phantom (600 x 800, JPEG baseline in colour, as scanners send them) and runs each length in a process
of its own, so that the peak of its memory is its own. Time of the processor is told beside that of the clock.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from sonoseg.data.sets.phantom import draw

HEIGHT, WIDTH = 600, 800


def make(path: Path, frames: int) -> None:
    """Write a cine of a phantom that moves by a pixel a frame."""
    scan = draw(0, 0, "malignant").pixels
    tissue = np.asarray(PIL.Image.fromarray(scan).resize((WIDTH - 160, HEIGHT - 80)))
    coded = []
    for number in range(frames):
        frame = np.zeros((HEIGHT, WIDTH), np.uint8)
        frame[40:-40, 80:-80] = np.roll(tissue, number % 40, axis=1)
        file = io.BytesIO()
        PIL.Image.fromarray(frame).convert("RGB").save(file, "JPEG", quality=90, subsampling=1)
        coded.append(file.getvalue())
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.3.1", uid.generate_uid()
    data.StudyInstanceUID, data.SeriesInstanceUID = uid.generate_uid(), uid.generate_uid()
    data.PatientName, data.PatientID, data.Modality, data.FrameTime = "Phantom", "0", "US", 40
    data.Rows, data.Columns, data.NumberOfFrames = HEIGHT, WIDTH, frames
    data.PhotometricInterpretation, data.SamplesPerPixel, data.PlanarConfiguration = "YBR_FULL_422", 3, 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    region = Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionFlags, region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = 0, 3, 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.006
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 80, 40
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = WIDTH - 81, HEIGHT - 41
    data.SequenceOfUltrasoundRegions = [region]
    data.PixelData = encapsulate(coded)
    data["PixelData"].VR = "OB"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    data.save_as(path, enforce_file_format=True)


def measure(path: Path, model: str, threads: int) -> dict[str, float]:
    """Predict a cine into a segmentation; seconds without the start, and the peak of memory in MB."""
    from sonoseg.delivery.objects import Objects
    from sonoseg.delivery.outputs import Job, Options
    from sonoseg.images.image import Image
    from sonoseg.images.reading import Found
    from sonoseg.prediction.modelfile import load

    predictor = load(model, threads=threads)
    predictor.predict(Image(np.zeros((HEIGHT, WIDTH), np.uint8)))  # the first pass of a network takes longer
    with tempfile.TemporaryDirectory() as out:
        job = Job(predictor, Options(out=Path(out), overlay=False, objects=Objects(seg=True)))
        began, used = time.perf_counter(), time.process_time()
        outcome = job.predict(Found(path, path.name, path.stem))
        seconds, used = time.perf_counter() - began, time.process_time() - used
    assert not outcome.failures, outcome.failures
    frames = outcome.documents[0]["frames"]
    return {
        "frames": len(frames),
        "drawn": sum(bool(frame["lesions"]) for frame in frames),
        "seconds": round(seconds, 2),
        "frames_per_second": round(len(frames) / seconds, 1),
        "processor_ms_per_frame": round(1000 * used / len(frames), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Measure a fifth of the frames, all of them, and twice as many."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="default")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.model, given.threads)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for frames in (given.frames // 5, given.frames, 2 * given.frames):
            path = Path(folder) / f"{frames}.dcm"
            make(path, frames)
            options = ["--model", given.model, "--threads", str(given.threads)]
            subprocess.run([sys.executable, __file__, *options, "--one", str(path)], check=True)


if __name__ == "__main__":
    main()
