import csv
import re

import pytest

from markup import Checker
from odd_set import odd_set
from sonoseg.data.audit import COLUMNS, measure
from sonoseg.data.samples import ALONE
from sonoseg.evaluation.audited import sum_up
from sonoseg.reports.audit import page

COMMAND = "sonoseg data audit 'odd:<here>'"


def made(*names, **options):
    return measure(odd_set(names, **options) if names else odd_set(**options), page.thumbnail)


def paged(audit):
    return page.page(audit, sum_up(audit), COMMAND)


@pytest.fixture(scope="module")
def audit():
    return made()


@pytest.fixture(scope="module")
def text(audit):
    return paged(audit)


def test_the_page_asks_for_nothing_from_outside(text) -> None:
    checker = Checker(text)
    assert not checker.all("script")
    for _, attributes in checker.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    assert not re.search(r"url\(|@import|https?://", text)


def test_the_page_can_be_read_without_seeing_it(text) -> None:
    checker = Checker(text)
    assert len(checker.all("table")) == len(checker.all("caption")) == 3
    assert all(attributes.get("scope") in {"col", "row", "rowgroup"} for attributes in checker.all("th"))
    assert all("aria-label" in each or each.get("aria-hidden") == "true" for each in checker.all("svg"))
    assert len(checker.all("h1")) == 1


def test_ids_are_unique_and_links_arrive(text) -> None:
    checker = Checker(text)
    assert len(checker.ids) == len(set(checker.ids))
    targets = {each["href"][1:] for tag in ("a", "use") for each in checker.all(tag)}
    assert targets <= set(checker.ids)
    every = {"missing", "unexpected", "full", "several", "lesions", "specks", "holes", "border", "marks", "colour"}
    assert every | {"copies", "agreement", "own", "classes", "unreadable", "source"} <= targets


def test_every_image_is_embedded_once_and_escaped_text_stays_text(text) -> None:
    assert text.count("data:image/jpeg") == 6  # all but a plain normal and the broken one
    assert "Somebody &lt;2020&gt;" in text
    assert "odd:&lt;here&gt;" in text
    assert "nan" not in re.sub('<style>.*</style>|data:image[^"]*', "", text, flags=re.S).lower().split()


def test_the_page_says_what_was_found(text) -> None:
    words = " ".join(re.sub("<[^>]*>", " ", text).split())
    assert "7 images show 6 different scans: 2 of them lie in 1 group of copies." in words
    assert "1 group bears more than one label." in words
    assert "1 image could not be read." in words
    assert "broken.png cannot be decoded" in words
    assert "It parts 1 of the 1 group of copies. In more than one of its folds lie 1 of these: with" in words


def test_the_groups_of_the_set_are_compared_with_those_found() -> None:
    same = {"plain": "one", "copy": "one"}
    names = ("plain", "odd", "copy")
    text = paged(made(*names, grouping="copies (known)", groups=same))
    assert "It keeps the images of every group of copies together." in text
    assert "Of its 1 group of copies, 1 were found here just as they are." in text
    alone = paged(made(*names, grouping=ALONE))
    assert "It parts 1 of the 1 group " in alone
    assert "that the set&#39;s own groups part" not in alone


def test_a_set_without_copies_without_lesions_or_of_one_image_has_a_page() -> None:
    for names in (("plain", "odd"), ("normal", "missing"), ("plain",), ("normal",)):
        text = paged(made(*names))
        assert "is a copy of another one" in text
        assert "agreement" not in Checker(text).ids


def test_both_files_are_written_and_an_earlier_audit_is_replaced(tmp_path, audit) -> None:
    folder = tmp_path / "deep" / "audit"
    first = page.write(folder, audit, sum_up(audit), COMMAND)
    assert [path.name for path in first] == ["audit.html", "audit.csv"]
    before = [path.read_bytes() for path in first]
    first[0].write_text("old", encoding="utf-8")
    page.write(folder, audit, sum_up(audit), COMMAND)
    assert [path.read_bytes() for path in first] == before
    assert sorted(path.name for path in folder.iterdir()) == ["audit.csv", "audit.html"]
    with first[1].open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames) == COLUMNS
        assert len(list(reader)) == 8
