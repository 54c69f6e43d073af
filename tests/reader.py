"""A person at the page, in a real browser."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name));
    const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
    for (const kind of ["dragover", "drop"]) document.getElementById("drop").dispatchEvent(new DragEvent(kind, how));
}"""


class Reader:
    """A person at the page."""

    def __init__(self, browser: Any, url: str, **looks: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **looks})
        self.page = self.context.new_page()
        self.strange: list[str] = []
        self.page.on("pageerror", lambda error: self.strange.append(str(error)))
        self.page.on("request", lambda request: self.asked(request.url, url))
        self.open(url)

    def asked(self, address: str, url: str) -> None:
        if not address.startswith((url, "blob:", "data:")):
            self.strange.append(address)

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready=yes]")

    def drop(self, content: bytes, name: str = "scan.png") -> None:
        self.page.evaluate(DROP, [name, base64.b64encode(content).decode()])
        self.until(
            "import('/static/js/desk.js').then(({ desk: { work } }) => "
            f"Boolean(work?.mask) && work.details.name === {json.dumps(name)})"
        )
        self.settled()

    def until(self, holds: str) -> None:
        """Wait for an expression; the page's own policy forbids Playwright's way of it."""
        for _ in range(500):
            if self.page.evaluate(holds):
                return
            self.page.wait_for_timeout(20)
        pytest.fail(f"never held: {holds}")

    def settled(self) -> None:
        self.until("!document.querySelector('#headline').textContent.includes('Findings')")
        self.until("!document.querySelector('#saving').textContent.includes('Saving')")

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def spot(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the image lies on the page."""
        found = self.page.evaluate(
            """async ([x, y]) => {
                const { desk } = await import("/static/js/desk.js"), box = desk.view.canvas.getBoundingClientRect();
                const place = desk.view.onCanvas({ x, y });
                return [box.left + place.x, box.top + place.y];
            }""",
            [x, y],
        )
        return found[0], found[1]

    def stroke(self, *places: tuple[float, float], lift: bool = True, button: str = "left") -> None:
        mouse = self.page.mouse
        mouse.move(*self.spot(*places[0]))
        mouse.down(button=button)
        for place in places[1:]:
            mouse.move(*self.spot(*place), steps=4)
        if lift:
            mouse.up(button=button)
        self.settled()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settled()

    def area(self) -> int:
        """Of all lesions, in pixels, as the page has it."""
        return int(
            self.page.evaluate(
                "import('/static/js/desk.js').then(({ desk }) => desk.work.mask.data.reduce((a, b) => a + b, 0))"
            )
        )

    def export(self, name: str) -> bytes:
        with self.page.expect_download() as waiting:
            self.page.click("#download")
        assert waiting.value.suggested_filename.endswith(name)
        return Path(waiting.value.path()).read_bytes()

    def done(self) -> None:
        self.context.close()
        assert not self.strange
