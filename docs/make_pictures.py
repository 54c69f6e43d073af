"""Make the pictures of the docs, ``overlay.png``, ``report.png`` and ``viewer.png``: ``python docs/make_pictures.py``.

Two phantoms as `sonoseg predict` draws them with the default model, side by side; the head of the committed report, as
Chromium shows it; and the viewer's page with phantoms in it, which needs Playwright and the extra serve.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Error, sync_playwright

import sonoseg
from sonoseg.data.samples import Sample
from sonoseg.delivery import document, overlay

DOCS = Path(__file__).parent
CHOSEN = ("benign (11)", "malignant (10)")
GAP, PAPER = 8, 255
REPORT = DOCS.parent / "results" / "four-unets" / "report.html"


def drawn(sample: Sample, predictor: sonoseg.Predictor) -> NDArray[np.uint8]:
    """The overlay of one phantom, with its sentences."""
    prediction = predictor.predict(sample.read()[0])
    found = {**document.findings(prediction), **document.scale(prediction.image)}
    return overlay.draw(prediction, document.sentences(found))


def shown(samples: Sequence[Sample], shot: Path) -> None:
    """The viewer's page with some phantoms, the first one open."""
    with TemporaryDirectory() as folder, socket.socket() as free, sync_playwright() as playwright:
        files = [Path(folder) / f"{sample.label}-{number}.png" for number, sample in enumerate(samples)]
        for file, sample in zip(files, samples, strict=True):
            Image.fromarray(sample.read()[0].pixels).save(file)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = ["sonoseg", "serve", "--no-browser", "--port", str(port), "--store", f"{folder}/reviews.sqlite3"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as service:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            while True:
                with suppress(Error):
                    page.goto(f"http://127.0.0.1:{port}")
                    break
                time.sleep(0.2)
            page.wait_for_selector("html[data-ready=yes]")
            page.set_input_files("#files", files)
            page.locator("#cases button").nth(len(files) - 1).wait_for()
            page.click("#cases button >> nth=0")
            page.wait_for_selector(".lesion")
            page.wait_for_timeout(1500)
            page.keyboard.press("m")  # as a reader sets the size of a pixel: a line, and its length
            box = page.locator("#canvas").bounding_box()
            for share, act in ((0.2, page.mouse.down), (0.8, page.mouse.up)):
                page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] * 0.9)
                act()
            page.keyboard.type("30")
            page.keyboard.press("Enter")
            page.keyboard.press("b")
            page.mouse.move(0, 0)
            page.locator("#canvas").blur()
            page.wait_for_timeout(500)
            page.screenshot(path=shot)
            browser.close()
            service.terminate()
    Image.open(shot).quantize(255).save(shot, optimize=True)


def main() -> None:
    """Write the pictures."""
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
    shown([samples[name] for name in (*CHOSEN, "benign (12)", "normal (1)")], DOCS / "viewer.png")


if __name__ == "__main__":
    main()
