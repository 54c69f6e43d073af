import hashlib
from urllib.parse import urlsplit

import pytest

from sonoseg.data.sets.catalogue import KNOWN, Download
from sonoseg.data.sets.sources import SOURCES


@pytest.mark.parametrize("name", KNOWN)
def test_every_set_says_what_a_user_must_know(name):
    known = KNOWN[name]
    for text in (known.title, known.size, known.licence, known.citation, known.access, known.tested):
        assert text
    assert "doi 10." in known.citation
    assert urlsplit(known.page).scheme == "https"
    assert known.source in SOURCES
    assert known.source in (name, "folder")


@pytest.mark.parametrize("download", [d for known in KNOWN.values() for d in known.downloads], ids=lambda d: d.name)
def test_downloads_are_encrypted_and_their_checksums_whole(download):
    assert urlsplit(download.url).scheme == "https"
    assert download.name
    if download.checksum:
        algorithm, digest = download.checksum.split(":")
        assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size


def test_a_file_is_called_as_its_address_ends():
    assert Download("https://example.org/records/1/files/A%20B.zip?download=1").name == "A B.zip"


def test_what_was_not_tested_on_real_files_says_so():
    assert all("made tree" in KNOWN[name].tested for name in ("breast", "bus-uclm", "oasbud"))
    assert all("real files" in KNOWN[name].tested for name in ("busi", "bus-bra"))
