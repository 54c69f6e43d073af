"""What the page says and does where the service is silent, slow, or wants a token."""

from pathlib import Path
from typing import Any

from reader import Reader
from serving import png, served
from sonoseg.viewer.store import Store

TOKEN = "0123456789abcdef"


def test_what_found_no_answer_is_sent_again_by_itself(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        reader = Reader(browser, url)
        reader.drop(png())
        reader.page.route("**/mask", lambda route: route.abort())
        reader.press("b")
        reader.stroke((20, 20), (20, 60))
        assert "The service does not answer. Is sonoseg serve still running?" in reader.text("#trouble")
        reader.drop(png(height=121), "other.png")  # what else goes well does not take the warning away
        assert reader.page.locator("#trouble button").inner_text() == "Save again"
        reader.page.unroute("**/mask")
        reader.until("document.querySelector('#saving').textContent === 'All saved'")
        assert reader.page.locator("#trouble").is_hidden()
        reader.done()


def test_a_stroke_on_what_another_window_changed_is_not_kept_and_the_page_says_so(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        one = Reader(browser, url)
        one.drop(png())
        one.page.fill("#reader", "Dr Bell")
        one.page.locator("#reader").blur()
        other = Reader(browser, url)
        other.page.wait_for_selector(".lesion")
        one.press("b")
        one.stroke((20, 20), (20, 100))
        drawn = one.area()
        other.press("b")
        other.page.route("**/mask", lambda route: (other.page.wait_for_timeout(300), route.continue_()))
        other.stroke((140, 20), (140, 100), lift=False)
        other.page.mouse.up()
        other.page.keyboard.press("a")  # before the page knows that what is accepted was not kept
        assert other.page.get_attribute("#accept", "aria-pressed") == "true"
        other.until(f"import('/static/js/desk.js').then(({{ desk: {{ work }} }}) => work.lesions.length === 2 && "
                    f"work.mask?.data.reduce((a, b) => a + b, 0) === {drawn})")  # fmt: skip
        other.page.wait_for_selector("#trouble:not([hidden])")
        assert other.text("#trouble span").startswith("Dr Bell changed this outline meanwhile")
        assert other.page.get_attribute("#accept", "aria-pressed") == "false"
        store = Store(tmp_path / "reviews.sqlite3", writable=False)
        assert store.decisions(1) == []
        store.close()
        other.stroke((140, 20), (140, 100))
        both = other.area()
        assert both > drawn
        other.press("z", "Shift+Z")
        assert other.text("#saving") == "All saved"
        other.open(url)
        other.settled()
        assert other.area() == both
        one.done()
        other.done()


def test_a_token_is_asked_for_until_it_is_right(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path, token=TOKEN) as url:
        page = browser.new_page()
        page.goto(url)
        for given, said in (("", "Whoever started"), ("wrong", "Whoever started"), (TOKEN, "not right")):
            page.wait_for_selector("#token[open]")
            assert said in page.locator("#token-said").inner_text()
            page.fill("#token-text", given)
            if not given:
                page.keyboard.press("Escape")
                page.wait_for_selector("#trouble:not([hidden])")
                assert "A token is needed. Reload the page" in page.locator("#trouble").inner_text()
                page.reload()
                continue
            page.keyboard.press("Enter")
            page.wait_for_timeout(300)
        page.wait_for_selector("html[data-ready=yes]")
        assert page.locator("#trouble").is_hidden()
        page.close()


def test_what_is_not_outlined_yet_shows_nothing_of_the_case_before_it(browser: Any, tmp_path: Path) -> None:
    with served(tmp_path) as url:
        reader = Reader(browser, url)
        reader.drop(png())
        reader.drop(png(height=121), "other.png")
        reader.press("a")
        reader.open(url)
        reader.settled()
        held: list[Any] = []
        reader.page.route("**/probability*", lambda route: held.append(route))
        reader.page.click("#cases li:first-child button")
        reader.until("document.querySelector('#headline').textContent === 'Findings'")
        assert reader.page.locator(".lesion").count() == 0
        assert reader.page.get_attribute("#accept", "aria-pressed") == "false"
        for button in ("accept", "reject", "smooth", "delete", "undo"):
            assert reader.page.locator(f"#{button}").is_disabled()
        reader.page.keyboard.press("a")  # nobody accepts what nobody saw
        reader.page.wait_for_timeout(100)
        assert reader.page.get_attribute("#accept", "aria-pressed") == "false"
        reader.page.mouse.click(*reader.spot(20, 20))  # and nobody draws on it
        held[0].continue_()
        reader.settled()
        assert reader.text("#headline") == "1 lesion"
        reader.done()
