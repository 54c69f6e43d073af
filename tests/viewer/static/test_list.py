"""The cases on the left: found by name or state, gone through by key."""

from pathlib import Path
from typing import Any

from reader import Reader
from serving import png, served

MANY = """async (count) => {
    const { list } = await import("/static/js/stage.js");
    const looks = { frames: 1, predicted: 0, lesions: 0, corrected: 0, accepted: 0, rejected: 0 };
    for (let id = 1001; id <= 1000 + count; id++) list.put({ id, name: `${id}.png`, ...looks });
}"""
CHANGE = """async (accepted) => {
    const { list } = await import("/static/js/stage.js");
    let touched = 0;
    const watch = new MutationObserver((seen) => {
        for (const { addedNodes, removedNodes } of seen) touched += addedNodes.length + removedNodes.length;
    });
    watch.observe(document.getElementById("cases"), { childList: true, subtree: true });
    list.put({ ...list.items.get(1500).info, accepted });
    await new Promise((done) => setTimeout(done));
    watch.disconnect();
    return touched;
}"""
SEEN = "checkVisibility({ contentVisibilityAuto: true })"
LAID_OUT = f"[...document.querySelectorAll('#cases li .name')].filter((each) => each.{SEEN}).length"
MOST_TOGETHER = (
    "Math.max(...[...document.querySelectorAll('#cases, #cases ol')].map(({ children }) => children.length))"
)


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


def test_a_case_among_thousands_costs_what_one_among_few_does(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        reader = Reader(browser, url)
        pictures = list[str]()
        reader.page.on("request", lambda request: pictures.append(request.url) if "thumbnail" in request.url else None)
        reader.page.evaluate(MANY, 2000)
        reader.page.wait_for_timeout(300)
        assert len(names(reader)) == 2000
        assert 0 < reader.page.evaluate(LAID_OUT) <= 100
        assert 0 < len(pictures) <= 100
        assert reader.page.evaluate(MOST_TOGETHER) <= 100
        reader.page.fill("#filter", "not looked at")
        assert reader.page.evaluate(CHANGE, 1) <= 5  # it is taken out of the list, and put back where it was
        assert reader.text("#count") == "1999 of 2000"
        assert reader.page.evaluate(CHANGE, 0) <= 5
        assert names(reader) == [f"{number}.png" for number in range(1001, 3001)]
        reader.page.fill("#filter", "1500")
        reader.until(f"document.querySelector('#cases li:only-child').{SEEN}")
        reader.page.wait_for_timeout(300)
        assert pictures[-1].endswith("/api/cases/1500/thumbnail")
        assert len(pictures) <= 101
        reader.done()
