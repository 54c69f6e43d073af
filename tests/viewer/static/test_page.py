"""The page in a real browser: what a reader does, by mouse, by keys alone, and on a tablet."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicom_files
from dicom_files import Region, Scan
from reader import Reader
from serving import png, served, telling, two
from sonoseg.images import masks
from sonoseg.prediction import modelfile
from sonoseg.viewer.models import Broken, Models
from sonoseg.viewer.store import Store
from tiny_model import scan, write_model


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    with served(tmp_path) as url:
        yield url


def stored(folder: Path) -> np.ndarray:
    store = Store(folder / "reviews.sqlite3", writable=False)
    last = store.correction(1, 1)
    store.close()
    assert last is not None
    return masks.decode(last.mask, (120, 160))


def test_drop_correct_undo_export_reload(browser: Any, site: str, tmp_path: Path) -> None:
    reader = Reader(browser, site)
    assert "Drop scans here" in reader.text("#welcome")
    reader.drop(png())
    assert reader.text("#headline") == "1 lesion"
    (lesion,) = modelfile.load(tmp_path / "tiny.onnx").predict(scan()).lesions
    size = f"{lesion.longest_diameter:.1f} × {lesion.perpendicular_diameter:.1f} px"
    assert reader.text(".lesion .size-of") == size
    assert "outlined" in reader.text("#cases li")
    first = reader.area()

    reader.page.fill("#reader", "Dr Bell")
    reader.page.locator("#reader").blur()
    reader.press("b")
    reader.stroke((20, 20), (20, 100))
    drawn = reader.area()
    assert drawn > first + 500
    assert reader.text("#headline") == "2 lesions"
    assert int(stored(tmp_path).sum()) == drawn  # on the disk when the page says so
    assert "corrected" in reader.text("#cases li")

    reader.press("e")
    reader.stroke((20, 20), (20, 60))
    assert first < reader.area() < drawn
    reader.press("z")
    assert reader.area() == drawn
    reader.press("Control+z")
    assert reader.area() == first
    reader.until("document.querySelector('#cases li').innerText.includes('outlined')")  # as it was predicted
    reader.press("Shift+Z")
    assert reader.area() == drawn

    reader.press("b")
    reader.stroke((140, 10), (140, 100), lift=False)
    assert reader.area() > drawn
    reader.press("z")  # in the middle of a stroke
    assert reader.area() == drawn
    reader.page.mouse.up()
    assert reader.area() == drawn

    reader.press("a")
    reader.page.wait_for_selector("#accept[aria-pressed=true]")
    reader.page.click("#export")
    files = zipfile.ZipFile(io.BytesIO(reader.export(".zip")))
    described = json.loads(files.read("0001-scan.json"))
    assert len(described["lesions"]) == 2
    assert described["review"]["corrected"]["reader"] == "Dr Bell"
    assert described["review"]["decision"]["decision"] == "accepted"

    reader.open(site)
    reader.settled()
    assert reader.area() == drawn
    assert reader.page.get_attribute("#accept", "aria-pressed") == "true"
    assert reader.page.input_value("#reader") == "Dr Bell"
    reader.done()


def test_the_threshold_moves_without_asking_the_network(browser: Any, site: str) -> None:
    reader = Reader(browser, site)
    reader.drop(png())
    before, asked = reader.area(), list[str]()
    reader.page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    slider = """(value) => {
        const threshold = document.getElementById("threshold");
        threshold.value = value;
        threshold.dispatchEvent(new Event("input"));
    }"""
    areas = []
    for value in (0.05, 0.5, 0.95):
        reader.page.evaluate(slider, value)
        reader.page.wait_for_timeout(60)
        areas.append(reader.area())
    assert areas[0] > areas[1] == before > areas[2]
    reader.page.evaluate("document.getElementById('opacity').dispatchEvent(new Event('input'))")
    reader.press("h", "c", "l", "l", "w")
    assert not asked
    reader.page.evaluate("document.getElementById('threshold').dispatchEvent(new Event('change'))")
    reader.settled()
    assert [each.split()[0] for each in asked if "/mask" in each] == ["PUT"]
    reader.press("z")
    assert reader.area() == before
    reader.done()


def test_where_presence_is_low_nothing_is_drawn_and_the_page_says_so(browser: Any, tmp_path: Path) -> None:
    slider = "document.getElementById('threshold')"
    for least, head in ((0.5, "1 lesion"), (0.99, "No lesion found")):
        folder = tmp_path / head
        folder.mkdir()
        loaded = telling(folder, least)
        prediction = loaded.get().predict(scan())
        with served(folder, loaded) as url:
            reader = Reader(browser, url)
            reader.drop(png())
            assert reader.text("#headline") == head
            of_what = " of the outline" if prediction.lesions else ""
            told = f"Confidence{of_what} {prediction.confidence:.2f}, presence {prediction.presence:.2f}."
            assert reader.text("#told").startswith(told)
            assert reader.area() == prediction.mask.sum()
            reader.page.evaluate(f"{slider}.value = 0.3; {slider}.dispatchEvent(new Event('input'))")
            reader.page.wait_for_timeout(60)
            assert (reader.area() > 0) == (least == 0.5)
            reader.press("o")  # a reader may draw all the same
            reader.stroke((20, 90), (40, 90), (40, 110), (20, 110), (20, 92))
            assert reader.text("#headline") == ("2 lesions" if least == 0.5 else "1 lesion")
            reader.done()


def test_keys_alone_do_everything(browser: Any, site: str, tmp_path: Path) -> None:
    reader = Reader(browser, site)
    choosing: list[Any] = []
    reader.page.on("filechooser", lambda opened: choosing.append(opened))
    for _ in range(100):  # a page that was just opened may not pass its first key on
        reader.page.keyboard.press("i")
        reader.page.wait_for_timeout(50)
        if choosing:
            break
    choosing[0].set_files([{"name": "scan.png", "mimeType": "image/png", "buffer": png()}])
    reader.page.wait_for_selector(".lesion")
    reader.settled()
    first = reader.area()
    for _ in range(60):
        if reader.page.evaluate("document.activeElement.id") == "canvas":
            break
        reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("document.activeElement.id") == "canvas"

    reader.press(
        "b",
        "]",
        "]",
        "Shift+ArrowLeft",
        "Shift+ArrowLeft",
        "Shift+ArrowLeft",
        "Space",
        "Shift+ArrowUp",
        "ArrowLeft",
        "Space",
    )
    drawn = reader.area()
    assert drawn > first
    reader.press("z")
    assert reader.area() == first
    reader.press("Shift+Z")
    assert reader.area() == drawn
    reader.press("x", "Space", "ArrowLeft", "Space")  # the eraser
    assert reader.area() < drawn
    reader.press("z", "o", "Shift+ArrowDown", "Space", "Shift+ArrowDown", "Space", "Shift+ArrowRight", "Space", "Enter")
    assert reader.area() > drawn
    reader.press("z", "1", "Delete")
    assert reader.area() < drawn
    reader.press("z", "s", "f", "m", "Space", "Shift+ArrowRight", "Shift+ArrowRight", "Space")
    reader.page.keyboard.type("8")
    reader.page.keyboard.press("Enter")
    reader.until("document.querySelector('#spacing').textContent.includes('0.200 mm, as measured')")
    assert all(text.endswith("mm") for text in reader.page.locator(".lesion .size-of").all_inner_texts())
    reader.press("t")
    reader.page.keyboard.type("seen twice")
    reader.page.keyboard.press("Escape")
    reader.press("r")
    reader.page.wait_for_selector("#reject[aria-pressed=true]")
    reader.press("?")
    assert reader.page.locator("#keys").is_visible()
    assert "Undo, also in mid-stroke" in reader.text("#key-list")
    reader.page.keyboard.press("Escape")
    reader.press("d")
    reader.page.locator("#download").focus()
    with reader.page.expect_download() as waiting:
        reader.page.keyboard.press("Enter")
    assert waiting.value.suggested_filename == "0001-scan.zip"
    store = Store(tmp_path / "reviews.sqlite3", writable=False)
    assert [(d.decision, d.comment) for d in store.decisions(1)][-1] == ("rejected", "seen twice")
    assert store.case(1).spacing == pytest.approx((0.2, 0.2))
    store.close()
    reader.done()


def test_what_is_judged_fast_is_kept_in_its_order(browser: Any, site: str, tmp_path: Path) -> None:
    reader = Reader(browser, site)
    reader.drop(png())
    held = []

    def hold(route: Any) -> None:  # the first word is slow, the next ones would overtake it
        held.append(route)
        if len(held) == 1:
            reader.page.wait_for_timeout(300)
        route.continue_()

    reader.page.route("**/decisions", hold)
    for key in ("t", *"seen", "Escape", "r"):
        reader.page.keyboard.press(key)
    assert reader.page.get_attribute("#reject", "aria-pressed") == "true"  # at once
    reader.page.keyboard.press("a")
    reader.page.keyboard.press("r")
    reader.settled()
    reader.until("document.querySelector('#saving').textContent === 'All saved'")
    store = Store(tmp_path / "reviews.sqlite3", writable=False)
    words = [(each.decision, each.comment) for each in store.decisions(1)]
    store.close()
    assert words == [("open", "seen"), ("rejected", "seen"), ("accepted", "seen"), ("rejected", "seen")]
    reader.done()


def test_a_lesion_is_small_by_its_window_and_not_by_the_whole_picture(browser: Any, tmp_path: Path) -> None:
    box = (24, 10, 135, 105)
    path = dicom_files.write(tmp_path / "scan.dcm", Scan((600, 600), inside=box, regions=(Region(box),)))
    predictor = replace(modelfile.load(write_model(tmp_path / "tiny.onnx")), smallest_lesion=0.01)
    (lesion,) = predictor.predict(path).lesions
    assert lesion.pixels < 0.01 * 600 * 600
    with served(tmp_path, Models({"tiny": predictor})) as url:
        reader = Reader(browser, url)
        reader.drop(path.read_bytes(), "scan.dcm")
        assert reader.text("#headline") == "1 lesion"
        assert reader.area() == lesion.pixels
        reader.done()


def test_with_two_models_what_is_judged_and_exported_is_what_is_seen(browser: Any, tmp_path: Path) -> None:
    loaded = two(tmp_path)
    areas = {name: int(loaded.get(name).predict(scan()).mask.sum()) for name in ("tiny", "strict")}

    def asked(name: str) -> None:
        reader.page.select_option("#model", name)
        reader.until(f"import('/static/js/desk.js').then(({{ desk }}) => desk.work.key.endsWith('/{name}'))")
        reader.until("import('/static/js/desk.js').then(({ desk }) => Boolean(desk.work.mask))")
        reader.settled()

    def judged() -> bool:
        return reader.page.get_attribute("#accept", "aria-pressed") == "true"

    with served(tmp_path, loaded) as url:
        reader = Reader(browser, url)
        reader.drop(png())
        assert reader.area() == areas["tiny"]
        asked("strict")
        assert reader.area() == areas["strict"] < areas["tiny"]
        reader.press("a")
        reader.until("document.querySelector('#saving').textContent === 'All saved'")
        reader.page.click("#export")
        described = json.loads(zipfile.ZipFile(io.BytesIO(reader.export(".zip"))).read("0001-scan.json"))
        assert sum(each["pixels"] for each in described["lesions"]) == areas["strict"]
        assert described["review"]["decision"]["decision"] == "accepted"
        reader.page.keyboard.press("Escape")
        asked("tiny")
        assert (judged(), reader.area()) == (False, areas["tiny"])
        asked("strict")
        assert judged()
        reader.press("b")
        reader.stroke((20, 20), (20, 100))
        drawn = reader.area()
        asked("tiny")  # what a reader drew stands, whoever is asked
        assert (judged(), reader.area()) == (True, drawn)
        reader.stroke((140, 20), (140, 100))
        both = reader.area()
        asked("strict")
        assert reader.area() == both == int(stored(tmp_path).sum())
        reader.done()


def test_a_comment_stays_with_the_scan_that_it_was_written_about(browser: Any, site: str, tmp_path: Path) -> None:
    reader = Reader(browser, site)
    reader.drop(png(), "a.png")
    reader.press("t")
    reader.page.keyboard.type("of a")
    reader.drop(png(height=121), "b.png")  # while the box has the focus
    assert reader.page.evaluate("document.activeElement.id") == "comment"
    assert reader.page.input_value("#comment") == ""
    reader.page.click("#accept")
    reader.press("t")
    reader.page.keyboard.type("of b")
    reader.page.keyboard.press("Escape")
    reader.page.click("#cases li:first-child button")
    reader.until("document.querySelector('#comment').value === 'of a'")
    reader.page.keyboard.press("PageDown")
    reader.until("document.querySelector('#comment').value === 'of b'")
    reader.settled()
    store = Store(tmp_path / "reviews.sqlite3", writable=False)
    told = [[(each.decision, each.comment) for each in store.decisions(case)] for case in (1, 2)]
    store.close()
    assert told == [[("open", "of a")], [("accepted", ""), ("accepted", "of b")]]
    reader.done()


def test_outline_and_points(browser: Any, site: str) -> None:
    reader = Reader(browser, site)
    reader.drop(png(lesion=False))
    assert reader.text("#headline") == "No lesion found"
    reader.press("o")
    reader.stroke((40, 40), (80, 40), (80, 80), (40, 80), (40, 42))
    assert reader.text("#headline") == "1 lesion"
    drawn = reader.area()
    assert drawn == pytest.approx(1600, rel=0.05)
    reader.stroke((50, 50), (70, 50), (70, 70), (50, 70), (50, 52), button="right")
    assert reader.area() == pytest.approx(1200, rel=0.05)
    reader.press("f")
    assert reader.area() == pytest.approx(drawn, abs=5)
    reader.press("p")
    reader.stroke((80, 80), (100, 100))
    assert reader.area() > drawn + 300
    reader.press("z")
    assert reader.area() == pytest.approx(drawn, abs=5)
    reader.press("Delete")
    assert reader.area() == 0
    reader.done()


def test_a_clip_has_a_frame_slider(browser: Any, site: str, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from sonoseg.images.clips import clip_writer
    from tiny_model import scan

    with clip_writer(tmp_path / "cine.mp4", 25, "") as writer:
        for number in range(3):
            writer.add(np.repeat(scan(lesion=number != 1).pixels[:, :, None], 3, axis=2))
    reader = Reader(browser, site)
    reader.drop((tmp_path / "cine.mp4").read_bytes(), "cine.mp4")
    assert reader.text("#frame-out") == "1 of 3, 0.00 s"
    reader.press(".")
    reader.until("document.querySelector('#headline').textContent === 'No lesion found'")
    assert reader.text("#frame-out") == "2 of 3, 0.04 s"
    reader.press(",")
    reader.until("document.querySelector('#headline').textContent === '1 lesion'")
    slider = "document.querySelector('#frame')"
    reader.page.evaluate(f"({slider}).value = 3; ({slider}).dispatchEvent(new Event('input'))")
    reader.until("document.querySelector('#frame-out').textContent === '3 of 3, 0.08 s'")
    reader.page.keyboard.press("k")  # plays, and begins anew after the last frame
    for number in (1, 2, 3, 1):
        reader.until(f"document.querySelector('#frame-out').textContent.startsWith('{number} of 3')")
    reader.stroke((20, 20), (20, 60))  # what is drawn stops it
    assert reader.page.get_attribute("#play", "aria-pressed") == "false"
    frame = reader.text("#frame-out")
    reader.page.wait_for_timeout(200)
    assert reader.text("#frame-out") == frame
    reader.done()


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (768, 1024)])
def test_a_tablet_shows_all_of_it_and_draws_by_finger(browser: Any, site: str, width: int, height: int) -> None:
    reader = Reader(browser, site, viewport={"width": width, "height": height}, has_touch=True, color_scheme="dark")
    reader.drop(png())
    page = reader.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    for selector in ("#cases button", "#tool-brush", "#canvas", "#undo", "#zoom-in", "#export"):
        assert page.locator(selector).first.is_visible(), selector
    for button in page.locator(".tools button").all():
        assert min(button.bounding_box()["width"], button.bounding_box()["height"]) >= 40
    first = reader.area()
    page.touchscreen.tap(*reader.spot(10, 10))
    reader.settled()
    assert reader.area() > first
    reader.done()


def test_what_goes_wrong_is_a_sentence_on_the_page(browser: Any, site: str) -> None:
    reader = Reader(browser, site)
    reader.page.set_input_files("#files", [{"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}])
    reader.page.wait_for_selector("#failures li")
    assert reader.text("#failures li").startswith("notes.txt: The file is not a picture")
    reader.drop(png())
    reader.page.route("**/mask", lambda route: route.abort())
    reader.press("b")
    reader.stroke((20, 20), (20, 60))
    assert "The service does not answer" in reader.text("#trouble")
    assert reader.text("#saving") == "Not saved"
    reader.page.unroute("**/mask")
    reader.page.click("#trouble button")
    reader.until("document.querySelector('#saving').textContent === 'All saved'")
    assert reader.page.locator("#trouble").is_hidden()
    reader.done()


def test_a_file_that_is_too_large_is_a_sentence(browser: Any, site: str, tmp_path: Path) -> None:
    reader = Reader(browser, site)
    with (tmp_path / "large.png").open("wb") as file:
        file.write(png())
        file.truncate(200 << 20)
    reader.page.set_input_files("#files", str(tmp_path / "large.png"))
    reader.page.wait_for_selector("#failures li")
    assert reader.text("#failures li").startswith("large.png: The request is too large; 104,857,600 bytes are allowed")
    reader.drop(png())
    assert reader.text("#headline") == "1 lesion"
    reader.done()


def test_a_model_or_a_store_that_cannot_be_used_is_a_sentence(browser: Any, tmp_path: Path) -> None:
    broken = Models({"bad": Broken("bad.onnx is damaged", "export it again")})
    (tmp_path / "text").write_text("no store" * 1000)
    for settings, said in (
        ({"loaded": broken}, "bad.onnx is damaged"),
        ({"store": tmp_path / "text"}, "cannot be opened"),
    ):
        with served(tmp_path, **settings) as url:
            reader = Reader(browser, url)
            reader.page.wait_for_selector("#trouble:not([hidden])")
            assert said in reader.text("#trouble")
            reader.done()


def test_a_stroke_is_kept_where_the_reader_leaves_at_once(browser: Any, site: str, tmp_path: Path) -> None:
    reader = Reader(browser, site)
    reader.drop(png())
    reader.press("b")
    mouse = reader.page.mouse
    places = [reader.spot(20, 20), reader.spot(20, 100)]
    mouse.move(*places[0])
    mouse.down()
    mouse.move(*places[1], steps=4)
    mouse.up()
    reader.page.keyboard.press("a")
    reader.page.goto("about:blank")
    for _ in range(500):
        store = Store(tmp_path / "reviews.sqlite3", writable=False)
        found = store.correction(1, 1), [each.decision for each in store.decisions(1)]
        store.close()
        if found[0] and found[1]:
            break
        time.sleep(0.02)
    assert stored(tmp_path)[60, 20]
    assert set(found[1]) == {"accepted"}  # twice where the first one was on its way
    reader.done()


def test_names_are_shown_as_text(browser: Any, site: str) -> None:
    reader = Reader(browser, site)
    reader.drop(png(), "<img src=x onerror=alert(1)>.png")
    assert reader.text("#cases .name") == "<img src=x onerror=alert(1)>.png"
    reader.done()


def test_everything_has_a_name_and_enough_contrast(browser: Any, site: str) -> None:
    reader = Reader(browser, site)
    reader.drop(png())
    nameless = reader.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, canvas, output")].filter((each) => {
            const labels = [...(each.labels || [])].map((label) => label.textContent).join("");
            const label = each.getAttribute("aria-label") || each.textContent || labels;
            return each.tagName !== "OUTPUT" && !label.trim();
        }).map((each) => each.outerHTML)"""
    )
    assert nameless == []
    for theme in ("light", "dark"):
        reader.page.evaluate("(name) => { document.documentElement.dataset.theme = name; }", theme)
        faint = reader.page.evaluate(CONTRAST)
        assert faint == [], theme
    reader.done()


CONTRAST = """() => {
    const light = (colour) => {
        const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (each) => {
        for (let at = each; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/, 0\\)|transparent/.test(colour)) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    return [...document.querySelectorAll("header *, nav *, aside *, .foot *, .tools *")].filter((each) => {
        const says = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!says || !each.checkVisibility() || each.disabled) return false;
        const [one, two] = [getComputedStyle(each).color, ground(each)].map(light).sort((a, b) => b - a);
        return (one + 0.05) / (two + 0.05) < 4.5;
    }).map((each) => `${each.tagName} ${each.textContent.trim().slice(0, 30)}`);
}"""
