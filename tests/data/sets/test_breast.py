import zipfile
from xml.sax.saxutils import escape

import numpy as np
import pytest

from sonoseg.data.sets.breast import PICTURES, open_breast
from sonoseg.errors import UserError
from trees import blob, grey, write

HEADER = ["CaseID", "Image_filename", "Mask_tumor_filename", "Mask_other_filename", "Pixel_size", "Classification"]
CASES = [
    ["1", "case001.png", "case001_tumor.png", "", "0.01", "benign"],
    ["2", "case002.png", "case002_tumor.png&case002_tumor2.png", "", "0.01", "malignant"],
    ["3", "case003.png", "", "", "0.01", "normal"],
    ["4", "case004.png", "case004_tumor.png", "case004_other1.png", "0.01", "benign"],
    ["10", "case010.png", "case010_tumor.png", "", "0.01", "benign"],
    ["11", "case011.png", "case011_tumor.png", "", "0.01", "Malignant"],
]
SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def spreadsheet(path, rows):
    """A workbook as spreadsheet programs write it: a page of notes, then the rows, text in a table of its own."""
    texts = sorted({text for row in rows for text in row if text and not text.isdigit()})
    body = ""
    for number, row in enumerate(rows, 1):
        cells = ""
        for letter, text in zip("ABCDEF", row, strict=True):
            if text.isdigit():
                cells += f'<c r="{letter}{number}"><v>{text}</v></c>'
            elif text:  # an empty cell is left out
                cells += f'<c r="{letter}{number}" t="s"><v>{texts.index(text)}</v></c>'
        body += f'<row r="{number}">{cells}</row>'
    note = '<row r="1"><c r="A1" t="inlineStr"><is><t>Data dictionary</t></is></c></row>'
    shared = "".join(f"<si><r><t>{escape(t[:2])}</t></r><r><t>{escape(t[2:])}</t></r></si>" for t in texts)
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", f"<worksheet {SPACE}><sheetData>{note}</sheetData></worksheet>")
        book.writestr("xl/worksheets/sheet2.xml", f"<worksheet {SPACE}><sheetData>{body}</sheetData></worksheet>")
        book.writestr("xl/sharedStrings.xml", f"<sst {SPACE}>{shared}</sst>")


def rgba(mask):
    """White and opaque on black and transparent, as the release has masks."""
    return np.dstack([mask * np.uint8(255)] * 4)


@pytest.fixture
def release(tmp_path):
    spreadsheet(tmp_path / "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx", [HEADER, *CASES])
    for number, (_, image, masks, other, _, _) in enumerate(CASES):
        opaque = np.full((24, 32), 255, np.uint8)
        write(tmp_path / PICTURES / image, np.dstack([grey(seed=number)] * 3 + [opaque]))
        for left, name in enumerate(filter(None, [*masks.split("&"), *other.split("&")])):
            write(tmp_path / PICTURES / name, rgba(blob(left=15 * left, size=5)))
    return tmp_path


def test_every_case_is_a_patient_and_its_tumours_are_united(release):
    data = open_breast(str(release))
    assert [sample.name for sample in data.samples] == [row[1][:-4] for row in CASES]
    assert [sample.label for sample in data.samples] == [row[-1].lower() for row in CASES]
    assert data.folds.groups == {sample.name: sample.name for sample in data.samples}
    assert "patient" in data.grouping
    image, mask = data.samples[1].read()
    assert np.array_equal(image.pixels, grey(seed=1))
    assert image.spacing is None
    assert np.array_equal(mask, blob(left=0, size=5) | blob(left=15, size=5))
    assert not data.samples[2].read()[1].any()


def test_other_abnormal_areas_are_no_lesion(release):
    assert np.array_equal(open_breast(str(release)).samples[3].read()[1], blob(left=0, size=5))


def test_images_may_lie_beside_the_table(release):
    for path in (release / PICTURES).iterdir():
        path.rename(release / path.name)
    (release / PICTURES).rmdir()
    assert len(open_breast(str(release)).samples) == 6


def test_files_must_fit_the_table(release):
    (release / PICTURES / "case004_tumor.png").unlink()
    with pytest.raises(UserError, match=r"lacks 1 files that .*xlsx lists, the first is case004_tumor\.png"):
        open_breast(str(release))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["5", "../case005.png", "", "", "", "normal"], "names the file '../case005.png'"),
        (["5", "case001.png", "", "", "", "normal"], "names the file 'case001.png' twice"),
        (["5", "case003.png", "", "", "", "benign"], "names the file 'case003.png' twice"),
    ],
)
def test_names_that_the_table_may_not_have(release, row, message):
    spreadsheet(release / "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx", [HEADER, *CASES, row])
    with pytest.raises(UserError, match=message):
        open_breast(str(release))


def test_a_lesion_needs_a_mask_and_a_class_must_be_known(release):
    table = release / "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx"
    spreadsheet(table, [HEADER, ["3", "case003.png", "", "", "", "benign"]])
    with pytest.raises(UserError, match=r"names no mask of case003\.png, which is benign"):
        open_breast(str(release))
    spreadsheet(table, [HEADER, ["3", "case003.png", "", "", "", "lump"]])
    with pytest.raises(UserError, match=r"case003\.png has the label 'lump'; benign"):
        open_breast(str(release))


def test_what_is_no_such_table_is_refused(tmp_path):
    with pytest.raises(UserError, match="has no BrEaST-Lesions-USG-clinical-data"):
        open_breast(str(tmp_path))
    table = tmp_path / "BrEaST-Lesions-USG-clinical-data.xlsx"
    table.write_bytes(b"not a spreadsheet")
    with pytest.raises(UserError, match="cannot be read as a spreadsheet"):
        open_breast(str(tmp_path))
    with zipfile.ZipFile(table, "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", "<worksheet")
    with pytest.raises(UserError, match="cannot be read as a spreadsheet"):
        open_breast(str(tmp_path))
    spreadsheet(table, [["1", "2", "3", "4", "5", "6"]])
    with pytest.raises(UserError, match="has no sheet with the columns"):
        open_breast(str(tmp_path))
