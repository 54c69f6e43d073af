"""The cases on the left: found by name or state, gone through by key."""

from pathlib import Path
from typing import Any

from reader import Reader
from serving import png, served


def names(reader: Reader) -> list[str]:
    return list(reader.page.locator("#cases .name").all_text_contents())


def current(reader: Reader) -> str:
    return str(reader.page.locator("#cases button[aria-current] .name").text_content())


def test_cases_are_found_by_name_or_state_and_gone_through_by_key(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        reader = Reader(browser, url)
        for number, name in enumerate(("left-1.png", "right-1.png", "left-2.png", "left-3.png")):
            reader.drop(png(height=120 + number), name)
        reader.page.click("#cases li:first-child button")
        reader.settled()
        reader.page.fill("#filter", "left")
        assert names(reader) == ["left-1.png", "left-2.png", "left-3.png"]
        assert reader.text("#count") == "3 of 4"
        reader.page.focus("#canvas")
        reader.press("PageDown")
        assert current(reader) == "left-2.png"
        reader.page.fill("#filter", "outlined")
        reader.page.focus("#canvas")
        reader.press("a")
        reader.until("document.querySelectorAll('#cases li').length === 3")  # it is accepted, no longer outlined
        assert names(reader) == ["left-1.png", "right-1.png", "left-3.png"]
        reader.press("PageDown")  # on from where it was
        assert current(reader) == "left-3.png"
        reader.page.fill("#filter", "")
        assert len(names(reader)) == 4
        assert reader.text("#count") == "4"
        reader.page.focus("#canvas")
        reader.press("PageUp", "PageUp")
        assert current(reader) == "right-1.png"
        reader.press("Shift+A")  # the next one that nobody decided
        assert current(reader) == "left-3.png"
        reader.done()
