"""Time the viewer: the first outline, a stroke, 32 clients at once, and throughput beside ``sonoseg predict``.

    python benchmarks/serving.py [--model default] [--seconds 60] [--clients 32] [--images 100] [--only PART ...]

Parts: outline, stroke, load. Scans are phantoms of 564 x 474 pixels. ``outline`` and ``stroke`` drive the page in
Chromium (Playwright), against a service as it starts by default. ``load`` starts one that computes with one thread, so
that the clients have a core left, and compares it with ``sonoseg predict`` of one thread, start-up taken off. Memory is
the resident set of the service (Linux). Prints seconds, and how busy the machine was.
"""

import argparse
import base64
import http.client
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import PIL.Image

WIDTH, HEIGHT = 564, 474
LARGE = (1000, 700)
LIMIT = "xyz123sonosegxyz"

DROP = """([name, content]) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0)), transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name));
    const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
    for (const kind of ["dragover", "drop"]) document.getElementById("drop").dispatchEvent(new DragEvent(kind, how));
}"""
MEASURED = "(name) => performance.getEntriesByName(name).map((each) => each.duration)"


def main() -> None:
    """Read the arguments and run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before, Python {sys.version.split()[0]}")
    for part in given.only:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[part](given, Path(folder))
    print(f"load {os.getloadavg()[0]:.1f} after")


def outline(given: argparse.Namespace, folder: Path) -> None:
    """From the drop to the outline on the page, and what of it the service takes."""
    with serving(given, folder) as (url, _), browsing(url) as page:
        times = []
        for number, scan in enumerate(phantoms(12)):
            drop(page, f"{number}.png", scan)
            wait(page, f"({MEASURED})('first outline').length === {number + 1}")
            times = page.evaluate(MEASURED, "first outline")
        tell("first outline on the page, from the drop", [each / 1000 for each in times[1:]], 1.0)
        place, whole = http.client.HTTPConnection(url.removeprefix("http://")), []
        for scan in phantoms(24)[12:]:
            start = time.perf_counter()
            case = json.loads(ask(place, "POST", "/api/cases", *form(scan))[1])["id"]
            for part in ("image", "probability"):
                assert ask(place, "GET", f"/api/cases/{case}/frames/1/{part}")[0] == 200
            whole.append(time.perf_counter() - start)
        tell("of which the service (file, picture, probability)", whole, 0.1)


def stroke(given: argparse.Namespace, folder: Path) -> None:
    """Script time of each frame that a brush draws in, at 1,000 x 700."""
    with serving(given, folder) as (url, _), browsing(url) as page:
        drop(page, "large.png", phantoms(1, LARGE)[0])
        wait(page, f"({MEASURED})('first outline').length === 1")
        page.keyboard.press("b")
        box = page.locator("#canvas").bounding_box()
        left, top, width, height = (box[key] for key in ("x", "y", "width", "height"))
        for number in range(6):
            y = top + height * (0.25 + 0.08 * number)
            page.mouse.move(left + width * 0.2, y)
            page.mouse.down()
            page.mouse.move(left + width * 0.8, y + 30, steps=25)
            page.mouse.up()
        page.wait_for_timeout(300)
        tell(
            "script of a frame of a stroke at 1000 x 700", [t / 1000 for t in page.evaluate(MEASURED, "stroke")], 0.016
        )


def load(given: argparse.Namespace, folder: Path) -> None:
    """Many clients at once for a while; then the same scans through ``sonoseg predict``."""
    scans = phantoms(20)
    with serving(given, folder, "--threads", "1") as (url, process):
        until, seen, lock = time.perf_counter() + given.seconds, Counter[int](), threading.Lock()
        times = list[float]()

        def client(number: int) -> None:
            place = http.client.HTTPConnection(url.removeprefix("http://"))
            while time.perf_counter() < until:
                number += 1
                start = time.perf_counter()
                status, _ = ask(place, "POST", "/api/predict", *form(scans[number % len(scans)]))
                with lock:
                    seen[status] += 1
                    times.append(time.perf_counter() - start)
                if status == 503:
                    time.sleep(1)  # as its Retry-After says

        threads = [threading.Thread(target=client, args=(number,)) for number in range(given.clients)]
        began, memory = time.perf_counter(), list[float]()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            memory.append(resident(process.pid))
            time.sleep(1)
        rate = seen[200] / (time.perf_counter() - began)
    print(f"{given.clients} clients for {given.seconds:.0f} s: answers by status {dict(seen)}")
    tell("  an answer", times)
    third = max(1, len(memory) // 3)
    early, late = statistics.mean(memory[third // 2 : third + 1]), statistics.mean(memory[-third:])
    print(f"  resident memory: {early:.0f} MB early, {late:.0f} MB in the last third, {max(memory):.0f} MB at most")
    alone = predict(given, folder, scans)
    print(
        f"  {rate:.1f} images/s; sonoseg predict with the same thread {alone:.1f}: {rate / alone:.0%} (at least 80 %)"
    )


def predict(given: argparse.Namespace, folder: Path, scans: Sequence[bytes]) -> float:
    """Images per second of the command, of the difference between many images and one."""
    (folder / "in").mkdir()
    for number in range(given.images + 1):
        (folder / "in" / f"{number:04}.png").write_bytes(scans[number % len(scans)])
    took = []
    for name, files in (("one", [folder / "in" / "0000.png"]), ("all", [folder / "in"])):
        words = ["predict", *map(str, files), "--out", str(folder / name), "--no-overlay", "--threads", "1"]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sonoseg", *words, "--model", given.model], check=True, capture_output=True
        )
        took.append(time.perf_counter() - start)
    return float(given.images / (took[1] - took[0]))


def phantoms(count: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> list[bytes]:
    """Give phantom scans as PNG, each its own."""
    from sonoseg.data.sets.sources import open_set

    found = []
    for sample in open_set("phantom").samples[:count]:
        pixels = PIL.Image.fromarray(sample.read()[0].pixels).resize(size, PIL.Image.Resampling.BICUBIC)
        speckle = np.random.default_rng(len(found)).integers(0, 12, (size[1], size[0]), np.uint8)
        buffer = io.BytesIO()
        PIL.Image.fromarray(np.asarray(pixels) // 2 + speckle).save(buffer, "PNG")
        found.append(buffer.getvalue())
    return found


@contextmanager
def serving(given: argparse.Namespace, folder: Path, *words: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Address and process of a service that can work."""
    command = ["serve", "--port", "0", "--store", str(folder / "reviews.sqlite3"), "--model", given.model, *words]
    process = subprocess.Popen(
        [sys.executable, "-m", "sonoseg", *command],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout
        url = process.stdout.readline().split()[1]
        while not healthy(url):
            time.sleep(0.1)
        yield url, process
    finally:
        process.terminate()
        process.wait()


def healthy(url: str) -> bool:
    """Whether a service can work."""
    try:
        with urlopen(f"{url}/api/health") as answer:
            return bool(json.load(answer)["status"] == "ok")
    except OSError:
        return False


@contextmanager
def browsing(url: str) -> Iterator[Any]:
    """The page in Chromium."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_selector("html[data-ready=yes]")
        yield page
        browser.close()


def drop(page: Any, name: str, scan: bytes) -> None:
    """Drop a file on the page."""
    page.evaluate(DROP, [name, base64.b64encode(scan).decode()])


def wait(page: Any, holds: str) -> None:
    """Wait for an expression; the page's own policy forbids Playwright's way of it."""
    for _ in range(1000):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(20)
    raise SystemExit(f"never held: {holds}")


def form(scan: bytes) -> tuple[bytes, dict[str, str]]:
    """A scan as a form sends it."""
    head = f'--{LIMIT}\r\nContent-Disposition: form-data; name="file"; filename="scan.png"\r\n\r\n'.encode()
    return head + scan + f"\r\n--{LIMIT}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={LIMIT}"}


def ask(
    place: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body of an answer."""
    place.request(method, path, body or None, {**(headers or {}), "Accept-Encoding": "gzip"})
    answer = place.getresponse()
    return answer.status, answer.read()


def resident(process: int) -> float:
    """Megabytes that a process holds."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def tell(what: str, seconds: Sequence[float], limit: float | None = None) -> None:
    """Print median, 95th percentile and most of some times."""
    middle, high = np.percentile(seconds, [50, 95]).tolist()
    wanted = f" (limit {limit * 1000:.0f})" if limit else ""
    found = f"median {middle * 1000:.1f}, 95th percentile {high * 1000:.1f}, most {max(seconds) * 1000:.1f} ms"
    print(f"{what}: {found}{wanted}, {len(seconds)} times")


PARTS = {"outline": outline, "stroke": stroke, "load": load}

if __name__ == "__main__":
    main()
