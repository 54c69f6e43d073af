import pytest

from sonoseg.data.sets.manifest import read_manifest
from sonoseg.errors import UserError
from trees import blob, grey, write


@pytest.fixture
def folder(tmp_path):
    for name in "ab":
        write(tmp_path / "set" / "scans" / f"{name}.png", grey())
        write(tmp_path / "set" / f"{name}m.png", blob())
    write(tmp_path / "elsewhere.png", grey())
    return tmp_path / "set"


def read(folder, text):
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return read_manifest(folder / "list.csv")


def test_rows_of_one_image_are_several_masks(folder):
    entries = read(folder, "mask,image,label\nam.png,scans/a.png,benign\nbm.png,scans\\a.png,benign\n")
    assert [(e.name, e.label, [m.name for m in e.masks]) for e in entries] == [
        ("scans/a", "benign", ["am.png", "bm.png"])
    ]


def test_fields_may_be_empty_and_quoted_and_a_normal_has_no_mask(folder):
    entries = read(
        folder,
        "\ufeffimage,mask,label,group,patient,fold,spacing_row,spacing_column\r\n"
        '"scans/a.png",am.png,,,,,,\r\n\r\nscans/b.png,,Normal,g,P 1,2,0.1,.2\r\n',
    )
    first, second = entries
    assert (first.label, first.group, first.patient, first.fold, first.spacing) == ("unknown", "", "", None, None)
    assert (second.label, second.group, second.patient, second.fold, second.spacing) == (
        "normal",
        "g",
        "P 1",
        2,
        (0.1, 0.2),
    )
    assert second.masks == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\nscans/a.png\n", "has no column mask"),
        ("", "has no column image, mask; it has none"),
        ("image,mask,colour\nscans/a.png,am.png,red\n", "has the column 'colour'; image, mask, label"),
        ("image,mask\nscans/a.png\n", "line 2: 1 fields; 2 are needed"),
        ("image,mask\n../elsewhere.png,am.png\n", r"line 2: \.\./elsewhere\.png lies outside"),
        ("image,mask\nscans/a.png,..\\elsewhere.png\n", "lies outside"),
        ("image,mask\n/etc/hostname,am.png\n", "/etc/hostname lies outside"),
        ("image,mask\nlink.png,am.png\n", r"link\.png lies outside"),
        ("image,mask\nscans/c.png,am.png\n", r"line 2: scans/c\.png is no file"),
        ("image,mask\n,am.png\n", "line 2: an empty name is no file"),
        ("image,mask\nscans/a.png,\n", "only an image labelled normal may have none"),
        ("image,mask,label\nscans/a.png,am.png,lump\n", "line 2: label 'lump'"),
        ("image,mask,fold\nscans/a.png,am.png,-1\n", "fold is '-1'"),
        ("image,mask,spacing_row\nscans/a.png,am.png,0.1\n", "spacing '0.1', ''"),
        ("image,mask,spacing_row,spacing_column\nscans/a.png,am.png,0.1,nan\n", "spacing '0.1', 'nan'"),
        ("image,mask,label\nscans/a.png,am.png,benign\nscans/a.png,bm.png,malignant\n", "line 3: scans/a differs"),
    ],
)
def test_what_a_manifest_may_not_say(folder, text, message):
    (folder / "link.png").symlink_to(folder.parent / "elsewhere.png")
    with pytest.raises(UserError, match=message):
        read(folder, text)


def test_what_is_no_text_is_refused(folder):
    (folder / "list.csv").write_bytes(b"\xff\xfe\x00image")
    with pytest.raises(UserError, match=r"list\.csv cannot be read as a table"):
        read_manifest(folder / "list.csv")
