"""Make the pictures of the README, ``docs/overlay.png`` and ``docs/report.png``: ``python docs/make_pictures.py``.

Two phantoms as `sonoseg predict` draws them with the default model, side by side; and the head of the committed report,
as Chromium shows it.
"""

import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import sonoseg
from sonoseg.data.samples import Sample
from sonoseg.delivery import document, overlay

DOCS = Path(__file__).parent
CHOSEN = ("benign (11)", "malignant (10)")
GAP, PAPER = 8, 255
REPORT = DOCS.parent / "results" / "busi-four-unets" / "report.html"


def drawn(sample: Sample, predictor: sonoseg.Predictor) -> NDArray[np.uint8]:
    """The overlay of one phantom, with its sentences."""
    prediction = predictor.predict(sample.read()[0])
    found = {**document.findings(prediction), **document.scale(prediction.image)}
    return overlay.draw(prediction, document.sentences(found))


def main() -> None:
    """Write both pictures."""
    predictor = sonoseg.load("default")
    samples = {sample.name: sample for sample in sonoseg.open_set("phantom:40").samples}
    panels = [drawn(samples[name], predictor) for name in CHOSEN]
    height, width = max(len(panel) for panel in panels), sum(panel.shape[1] + GAP for panel in panels) - GAP
    sheet, left = np.full((height, width, 3), PAPER, np.uint8), 0
    for panel in panels:
        sheet[: len(panel), left : left + panel.shape[1]] = panel
        left += panel.shape[1] + GAP
    Image.fromarray(sheet).save(DOCS / "overlay.png", optimize=True)
    shot = DOCS / "report.png"
    size = "--window-size=1100,1090"
    command = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", size, f"--screenshot={shot}"]
    subprocess.run([*command, REPORT.as_uri()], check=True, capture_output=True)
    Image.open(shot).quantize(255).save(shot, optimize=True)


if __name__ == "__main__":
    main()
