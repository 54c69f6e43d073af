import re

import pytest

from markup import Checker
from rows import row
from sonoseg.evaluation.entries import Entry
from sonoseg.evaluation.leaderboard import DECLARED, Standing, summarise
from sonoseg.reports.leaderboard import finding, page, reading, title


def standing(name, dice, folds=(0,), **told):
    entry = {"trained_on": "the <other> folds", "licence": "MIT", "held_out": True} | told
    rows = tuple(
        row(f"image {fold} {number}", name, dice + 0.01 * (number % 3), fold=fold, nsd=0.5, hd95=9.0)
        for fold in folds
        for number in range(12)
    )
    return Standing(Entry(name, "busi", "ab" * 32, folds, (0,), **entry), name, DECLARED, rows)


@pytest.fixture(scope="module")
def summary():
    found = [standing("best", 0.8, (0, 1)), standing("close", 0.795, (0, 1)), standing("far <b>", 0.5, source="a/b")]
    return summarise(found, "sonoseg leaderboard results entries")


def test_the_page_asks_for_nothing_from_outside_and_can_be_read_without_seeing_it(summary):
    checker = Checker(page(summary))
    assert not checker.all("script")
    assert not checker.all("link")
    assert not re.search(r"url\(|@import|https?://", page(summary))
    assert len(checker.all("table")) == len(checker.all("caption")) == 4
    assert all("aria-label" in each for each in checker.all("svg"))
    assert len(checker.ids) == len(set(checker.ids))
    assert {each["href"][1:] for each in checker.all("a")} == set(checker.ids)


def test_every_entry_stands_with_what_is_behind_it(summary):
    text = page(summary)
    for told in ("far &lt;b&gt;", "the &lt;other&gt; folds", "declared", "a/b", "MIT", "ab" * 32, "nothing drawn"):
        assert told in text
    for section in summary["sections"]:
        for entry in section["entries"]:
            assert f"<td>{entry['lesion']['dice']['mean']:.3f}<small>" in text
    assert "Research use, not a medical device." in text
    assert text == page(summary)
    assert "nan" not in re.sub("<style>.*</style>", "", text, flags=re.S).lower().split()


def test_the_page_promises_nothing_that_a_table_cannot_prove(summary):
    text = " ".join(page(summary).split())
    assert "cannot be proved from a table" in text
    assert "refuses to judge what it trained on" in text
    assert "How a recipe was chosen is checked for nobody" in text
    assert "docs/findings.md" in text
    assert "it is checked" not in text


def test_what_may_be_said_of_the_order(summary):
    both, first = summary["sections"]
    assert title(both) == "busi, folds 0, 1"
    assert title(first) == "busi, fold 0"
    assert title({"set": "busi", "folds": [0, 1, 2]}) == "busi, folds 0 to 2"
    assert finding(both).startswith("The highest mean lesion Dice, over 24 images, is that of best: 0.810")
    assert finding(both).endswith("The other one is told apart from it.")
    assert finding(first).endswith("All others are told apart from it, adjusted for 2 comparisons.")
    close, far = (entry["behind"] for entry in first["entries"][1:])
    assert (reading(close), reading(far)) == ("behind, within the margin", "behind")
    assert reading({"low": -0.001, "apart": False, "alike": True}) == "no difference within the margin"
    assert reading({"low": -0.1, "apart": False, "alike": False}) == "not told apart"
    assert reading(None) == reading({"low": None}) == ""


def test_one_entry_alone():
    alone = summarise([standing("best", 0.8)], "")
    assert finding(alone["sections"][0]).startswith("best reaches a mean lesion Dice of 0.810")
    assert "best" in page(alone)
