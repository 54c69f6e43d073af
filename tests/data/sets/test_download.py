import hashlib
import http.server
import io
import threading
import urllib.error
import urllib.request
import zipfile
from email.message import Message

import pytest

from sonoseg import downloads
from sonoseg.data.sets import download
from sonoseg.data.sets.catalogue import KNOWN, Download, KnownSet
from sonoseg.errors import UserError

PNG = b"pictures" * 5000


def archive(members=None):
    """A ZIP of (name or ZipInfo, content), stored, so that its bytes can be changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in (members or {"SET/Images/a.png": PNG, "SET/table.csv": b"ID\n"}).items():
            file.writestr(name, content)
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.files``; knows ranges; ``server.cut`` breaks off after so many bytes; asked paths are noted."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(self.headers["Range"][6:-1]) if server.ranges and self.headers.get("Range") else 0
        if start >= len(content) and start:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start + server.shift}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.redirects, server.asked = {}, {}, []
        server.cut, server.ranges, server.shift = None, True, 0
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def offer(monkeypatch, server, *files, checksums=True):
    """Put a set called ``made`` of these (name, content) into the catalogue."""
    downloads = []
    for name, content in files:
        server.files[f"/{name}"] = content
        checksum = f"md5:{hashlib.md5(content).hexdigest()}" if checksums else ""
        downloads.append(Download(f"{server.url}/{name}?download=1", checksum))
        server.files[f"/{name}?download=1"] = content
    known = KnownSet(
        "Made", "2 images", "CC0", "Nobody", "https://example.org", "by download", "this", tuple(downloads)
    )
    monkeypatch.setitem(KNOWN, "made", known)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_set_is_downloaded_checked_unpacked_and_recorded(monkeypatch, server, tmp_path):
    content = archive()
    offer(monkeypatch, server, ("set.zip", content), ("notes.xlsx", b"notes"))
    told = []
    to = download.get("made", tmp_path / "new" / "made", lambda done, total: told.append((done, total)))
    assert names(to) == ["SET", "SET/Images", "SET/Images/a.png", "SET/table.csv", "SOURCE.json", "notes.xlsx"]
    assert (to / "SET/Images/a.png").read_bytes() == PNG
    assert told[0][1] == told[-2][0] == len(content)
    assert told[-1] == (5, 5)
    record = download.record(to)
    assert (record["set"], record["licence"], record["citation"]) == ("made", "CC0", "Nobody")
    assert record["files"][0] == {
        "url": f"{server.url}/set.zip?download=1",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "published_checksum": f"md5:{hashlib.md5(content).hexdigest()}",
    }


def test_what_is_there_is_not_downloaded_again(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    download.get("made", tmp_path / "made")
    asked = len(server.asked)
    assert download.get("made", tmp_path / "made") == tmp_path / "made"
    assert len(server.asked) == asked


def test_without_a_published_checksum_the_first_is_recorded(monkeypatch, server, tmp_path):
    content = archive()
    offer(monkeypatch, server, ("set.zip", content), checksums=False)
    record = download.record(download.get("made", tmp_path / "made"))
    assert record["files"][0]["published_checksum"] is None
    assert record["files"][0]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_download_that_was_cut_goes_on_where_it_broke_off(monkeypatch, server, tmp_path):
    content = archive()
    offer(monkeypatch, server, ("set.zip", content))
    server.cut = 1000
    with pytest.raises(UserError, match=r"the connection broke after 1,000 of") as caught:
        download.get("made", tmp_path / "made")
    assert (caught.value.exit_code, "https_proxy" in caught.value.hint) == (1, True)
    assert names(tmp_path / "made") == ["set.zip.part"]
    server.cut = None
    told = []
    download.get("made", tmp_path / "made", lambda done, total: told.append((done, total)))
    assert server.asked[-1][1] == "bytes=1000-"
    assert told[-1] == (len(content), len(content))
    assert (tmp_path / "made/SET/Images/a.png").read_bytes() == PNG


def test_a_file_that_came_whole_before_another_broke_off_is_not_sent_again(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()), ("late.xlsx", b"late"))
    late = server.files.pop("/late.xlsx?download=1")
    with pytest.raises(UserError, match=r"late\.xlsx.* could not be downloaded \(404"):
        download.get("made", tmp_path / "made")
    assert names(tmp_path / "made") == ["set.zip.part"]
    server.files["/late.xlsx?download=1"] = late
    assert "SET/table.csv" in names(download.get("made", tmp_path / "made"))


def test_a_server_that_knows_no_ranges_begins_anew(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    server.ranges = False
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "set.zip.part").write_bytes(b"old")
    assert "SET/table.csv" in names(download.get("made", tmp_path / "made"))


def test_a_part_of_something_else_is_not_used(monkeypatch, server, tmp_path):
    content = archive()
    offer(monkeypatch, server, ("set.zip", content))
    part = tmp_path / "made" / "set.zip.part"
    part.parent.mkdir()
    part.write_bytes(b"x" * (len(content) + 1))
    with pytest.raises(UserError, match="not a part of it"):
        download.get("made", tmp_path / "made")
    assert not part.exists()
    part.write_bytes(content[:100])
    server.shift = 7
    with pytest.raises(UserError, match="another part than asked for"):
        download.get("made", tmp_path / "made")


def test_what_a_killed_process_left_does_not_matter(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    (tmp_path / "made" / ".unpacking" / "SET").mkdir(parents=True)
    assert ".unpacking" not in names(download.get("made", tmp_path / "made"))


def test_an_altered_file_is_refused_and_deleted(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    server.files["/set.zip?download=1"] = archive({"a": b"other"})
    with pytest.raises(UserError, match=r"has the MD5 \w+; \w+ is published"):
        download.get("made", tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_redirection_within_the_host_is_followed(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    server.redirects["/set.zip?download=1"] = "/set.zip"
    assert "SET/table.csv" in names(download.get("made", tmp_path / "made"))


def test_a_redirection_to_another_host_is_refused(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    server.redirects["/set.zip?download=1"] = f"http://localhost:{server.server_port}/set.zip"
    with pytest.raises(UserError, match=r"sends elsewhere, to http://localhost"):
        download.get("made", tmp_path / "made")
    assert not (tmp_path / "made").exists()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("old", "new", "right"),
    [
        ("https://a.org/x", "https://a.org/y", True),
        ("http://a.org/x", "https://a.org/x", True),
        ("https://a.org/x", "http://a.org/x", False),
        ("https://a.org/x", "https://a.org.evil.net/x", False),
        ("https://a.org/x", "https://a.org@evil.net/x", False),
    ],
)
def test_redirections_keep_host_and_encryption(old, new, right):
    handler = downloads.SameHost()
    request = urllib.request.Request(old)
    if right:
        assert handler.redirect_request(request, io.BytesIO(), 302, "", Message(), new).full_url == new
    else:
        with pytest.raises(UserError, match="sends elsewhere"):
            handler.redirect_request(request, io.BytesIO(), 302, "", Message(), new)


def test_proxies_are_those_of_the_environment(monkeypatch, server, tmp_path):
    content = archive()
    offer(monkeypatch, server, ("set.zip", content))
    url = "http://nowhere.invalid/set.zip"
    server.files[url] = content
    known = KNOWN["made"]
    monkeypatch.setitem(KNOWN, "made", KnownSet(*([known.title] * 7), (Download(url),)))
    monkeypatch.setenv("http_proxy", server.url)
    download.get("made", tmp_path / "made")
    assert server.asked == [(url, None)]


def test_an_address_that_does_not_answer_is_named(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    server.files.clear()
    with pytest.raises(UserError, match=r"set\.zip.* could not be downloaded \(404 Not Found\)"):
        download.get("made", tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_folder_in_use_is_left_alone(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive()))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds mine\.txt"):
        download.get("made", tmp_path)
    with pytest.raises(UserError, match="is a file"):
        download.get("made", tmp_path / "mine.txt")
    assert server.asked == []
    assert names(tmp_path) == ["mine.txt"]


def test_sets_that_a_person_must_ask_for_say_where_and_what(tmp_path):
    with pytest.raises(UserError, match="sign the agreement") as caught:
        download.get("udiat", tmp_path / "udiat")
    assert "https://helward.mmu.ac.uk" in caught.value.hint
    with pytest.raises(UserError, match="its licence is not stated"):
        download.get("busi", tmp_path / "busi")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_set_has_a_nearest_one(tmp_path):
    with pytest.raises(UserError, match="no set is called 'busbra'") as caught:
        download.get("busbra", tmp_path)
    assert caught.value.hint == "sonoseg data get bus-bra"


def test_an_archive_that_reaches_out_of_its_folder_leaves_nothing(monkeypatch, server, tmp_path):
    offer(monkeypatch, server, ("set.zip", archive({"SET/a": b"a", "../evil": b"/etc/passwd"})))
    with pytest.raises(UserError, match=r"the place '\.\./evil' outside it") as caught:
        download.get("made", tmp_path / "in" / "made")
    assert (caught.value.exit_code, "its publisher" in caught.value.hint) == (1, True)
    assert names(tmp_path) == ["in"]


@pytest.mark.parametrize(
    "damage", [lambda c: c[: len(c) // 2], lambda c: c.replace(b"pictures", b"Pictures"), lambda c: b""]
)
def test_an_archive_that_is_not_whole_leaves_nothing(monkeypatch, server, tmp_path, damage):
    offer(monkeypatch, server, ("set.zip", damage(archive())), checksums=False)
    with pytest.raises(UserError, match=r"set\.zip\.part is no whole ZIP archive"):
        download.get("made", tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_a_record_that_is_damaged_is_named(tmp_path):
    (tmp_path / "SOURCE.json").write_text("{")
    with pytest.raises(UserError, match=r"SOURCE\.json cannot be read"):
        download.record(tmp_path)
