"""What CITATION.cff and the datasheet say of protocol and folds is so."""

import hashlib
import re
from collections import Counter
from pathlib import Path

from sonoseg.data.folds import checksum, shipped

ROOT = Path(__file__).parents[1]
FOLDS = shipped("busi")


def sha256(path: str) -> str:
    return hashlib.sha256((ROOT / path).read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def test_the_checksums_are_those_of_protocol_and_folds() -> None:
    told = re.findall(r'value: "sha256:(\w+)"\n    description: "(.*?)"', (ROOT / "CITATION.cff").read_text("utf-8"))
    expected = {
        "Folds of BUSI": checksum(FOLDS),
        "The file of these folds": sha256("src/sonoseg/data/shipped/busi-folds.csv"),
        "Sonoseg protocol 1": sha256("docs/protocol.md"),  # a change of it: write the new one there
    }
    assert {description.split(",")[0]: value for value, description in told} == expected
    datasheet = (ROOT / "docs" / "datasheet.md").read_text("utf-8")
    assert all(f"`{value}`" in datasheet for value, description in told if "olds" in description)


def test_the_datasheet_counts_what_is_in_the_file() -> None:
    text = (ROOT / "docs" / "datasheet.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M)
    for fold in range(5):
        own = [row for row in FOLDS.rows if row.fold == fold]
        labels = Counter(row.label for row in own)
        counted = (len(own), labels["benign"], labels["malignant"], labels["normal"], len({row.group for row in own}))
        assert tuple(map(int, rows[fold])) == (fold, *counted)
    sizes = Counter(FOLDS.groups.values())
    several = [size for size in sizes.values() if size > 1]
    assert (
        f"{len(sizes)} groups; {len(several)} have several images (2 to {max(several)}),\n{sum(several)} in all" in text
    )
    assert ", ".join(row.image for row in FOLDS.rows if row.fold is None) in text
