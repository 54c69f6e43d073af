"""OHIF in a browser, before a real archive: what a reader sees of the objects that are written here.

Its pages are those of the npm package ``@ohif/app``, whose folder ``dist`` the variable ``SONOSEG_OHIF`` names:

    npm pack @ohif/app && tar xzf ohif-app-*.tgz && export SONOSEG_OHIF=$PWD/package/dist
"""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from orthanc import Orthanc

FOLDER, CHROMIUM = os.environ.get("SONOSEG_OHIF"), shutil.which("chromium")

_SOURCE = {
    "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
    "sourceName": "dicomweb",
    "configuration": {
        "name": "orthanc", "friendlyName": "Orthanc", "qidoRoot": "/dicom-web", "wadoRoot": "/dicom-web",
        "wadoUriRoot": "/wado", "imageRendering": "wadors", "thumbnailRendering": "wadors", "enableStudyLazyLoad": True,
        "qidoSupportsIncludeField": False, "supportsFuzzyMatching": False, "supportsWildcard": True,
        "omitQuotationForMultipartRequest": True, "bulkDataURI": {"enabled": True},
    },
}  # fmt: skip

_SETTINGS = {
    "routerBasename": None, "extensions": [], "modes": [], "showStudyList": True, "maxNumberOfWebWorkers": 2,
    "investigationalUseDialog": {"option": "never"}, "defaultDataSourceName": "dicomweb", "dataSources": [_SOURCE],
}  # fmt: skip

_ASKS = {"SEG": "Do you want to open this Segmentation?", "SR": "continue tracking measurements"}
"""What is asked when an object is drawn."""

_WAIT = 90_000
"""ms; a browser without a graphics card is slow."""

_LABELS = """() => [...cornerstone.cache._imageCache].flatMap(([id, {image}]) => {
  if (!image || !id.startsWith("derived")) return [];
  const places = [];
  image.voxelManager.getScalarData().forEach((value, place) => value && places.push(place));
  return [{frame: Number(image.referencedImageId.split("/").pop()), places}];
})"""

_DRAWN = """() => cornerstoneTools.annotation.state.getAllAnnotations().map(each => ({
  tool: each.metadata.toolName, points: each.data.handles.points, sizes: Object.values(each.data.cachedStats || {}),
}))"""


class _Pages(SimpleHTTPRequestHandler):
    """The pages of OHIF, and the archive under the same address."""

    def __init__(self, *arguments: Any, archive: str, **more: Any) -> None:
        self._archive = archive
        super().__init__(*arguments, **more)

    def do_GET(self) -> None:
        place = self.path.partition("?")[0]
        if place.startswith("/dicom-web"):
            passed = {key: self.headers[key] for key in ("Accept", "Host") if key in self.headers}
            answer = requests.get(self._archive + self.path, headers=passed, timeout=30)
            self._answer(answer.status_code, answer.headers["Content-Type"], answer.content)
        elif place == "/app-config.js":
            self._answer(200, "text/javascript", f"window.config = {json.dumps(_SETTINGS)}".encode())
        else:
            if not Path(self.translate_path(place)).is_file():
                self.path = "/index.html"
            super().do_GET()

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Viewer:
    """A page of OHIF with one study."""

    page: Any

    def show(self, modality: str) -> None:
        """Open the first object of a modality, and wait until it is drawn."""
        self.page.locator("[data-cy^='study-browser-thumbnail']").filter(has_text=modality).first.dblclick()
        self.page.get_by_text(_ASKS[modality]).wait_for(timeout=_WAIT)
        self.page.wait_for_timeout(1000)

    def agree(self) -> None:
        """Say yes to what is asked."""
        self.page.get_by_role("button", name="Yes").click()
        self.page.wait_for_timeout(3000)

    def shot(self) -> bytes:
        """What is drawn, as PNG, without what is asked."""
        self.page.get_by_role("button", name="No", exact=True).click()
        self.page.wait_for_timeout(3000)
        return bytes(self.page.locator("[data-cy='viewport-grid']").screenshot())

    def labels(self) -> dict[int, list[int]]:
        """Pixels of segments, by the number of the frame: their places, row by row."""
        return {each["frame"]: each["places"] for each in self.page.evaluate(_LABELS)}

    def drawn(self, tool: str) -> list[dict[str, Any]]:
        """What a tool has drawn: points (column, row, 0) from the centre of the first pixel, and measured sizes."""
        return [each for each in self.page.evaluate(_DRAWN) if each["tool"] == tool]


@contextmanager
def viewing(archive: Orthanc, study: str) -> Iterator[Viewer]:
    """A study of an archive in OHIF."""
    from playwright.sync_api import sync_playwright

    pages = partial(_Pages, archive=archive.url, directory=FOLDER)
    with ThreadingHTTPServer(("127.0.0.1", 0), pages) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
        )
        try:
            page = browser.new_page(viewport={"width": 1100, "height": 680})
            page.goto(f"http://127.0.0.1:{server.server_port}/viewer?StudyInstanceUIDs={study}")
            page.get_by_text("Skip all").click(timeout=_WAIT)  # a tour through the page
            yield Viewer(page)
        finally:
            browser.close()
            server.shutdown()
