from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoseg.data.folds import (
    COLUMNS,
    COPY,
    CROSSES,
    EXCLUDED,
    Folds,
    Row,
    check_disjoint,
    read,
    shipped,
    write,
)
from sonoseg.errors import UserError

HEADER = ",".join(COLUMNS)


def test_training_and_test_share_nothing_and_leave_out_the_excluded() -> None:
    folds = Folds((Row("a", "benign", "a", 0), Row("b", "normal", "b", 1), Row("c", "benign", "c", None, (EXCLUDED,))))
    assert folds.count == 2
    assert folds.groups == {"a": "a", "b": "b", "c": "c"}
    assert (folds.test(0), folds.training(0)) == (("a",), ("b",))
    with pytest.raises(UserError, match="fold 2 does not exist; there are 0, 1"):
        folds.test(2)
    with pytest.raises(UserError, match="fold -1 does not exist"):
        folds.training(-1)


def test_the_folds_of_a_table_are_those_that_it_names() -> None:
    made = Folds(tuple(Row(name, "benign", name, fold) for name, fold in (("a", 1), ("b", 4), ("c", None))))
    assert (made.numbers, made.count) == ((1, 4), 2)
    assert made.training(1) == ("b",)
    with pytest.raises(UserError, match="fold 0 does not exist; there are 1, 4"):
        made.test(0)


def test_folds_that_contradict_themselves_cannot_be_made() -> None:
    with pytest.raises(UserError, match="'a' is named twice"):
        Folds((Row("a", "benign", "a", 0), Row("a", "benign", "b", 1)))
    with pytest.raises(UserError, match="group 'g' is in no fold and in fold 0"):
        Folds((Row("a", "benign", "g", 0), Row("b", "benign", "g", None)))


def test_an_overlap_of_groups_is_refused_by_name() -> None:
    check_disjoint(["a", "b"], ["c"])
    with pytest.raises(UserError, match=r"1 group\(s\) lie in both training and test: b;"):
        check_disjoint(["a", "b"], ["b", "c"])
    with pytest.raises(UserError, match=r"5 group.*: g 1, g 2, g 9, \.\.\.;"):
        check_disjoint(["g 10", "g 9", "g 2", "g 1", "g 30"], [f"g {i}" for i in range(40)])


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(names, st.tuples(st.sampled_from(["benign", "normal"]), st.none() | st.integers(0, 9)), max_size=12)
)
def test_what_is_written_is_read_again(tmp_path_factory, entries) -> None:
    folds = Folds(tuple(Row(name, label, name, fold, (COPY,)) for name, (label, fold) in entries.items()))
    path = tmp_path_factory.mktemp("folds") / "folds.csv"
    write(path, folds)
    assert read(path) == folds


def test_the_file_has_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    rows = (
        Row("benign (1)", "benign", "benign (1)", 3, (COPY, CROSSES)),
        Row("normal (1)", "normal", "normal (1)", None),
    )
    write(tmp_path / "folds.csv", Folds(rows))
    expected = f"{HEADER}\nbenign (1),benign,benign (1),3,copy;crosses-classes\nnormal (1),normal,normal (1),,\n"
    assert (tmp_path / "folds.csv").read_bytes() == expected.encode()
    assert [file.name for file in tmp_path.iterdir()] == ["folds.csv"]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "columns are ''"),
        ("image,group,fold\n", 1, "columns are 'image,group,fold'"),
        (f"{HEADER},note\n", 1, "columns are"),
        (f"{HEADER}\na,benign,a,0\n", 2, "4 fields; 5 are needed"),
        (f"{HEADER}\na,benign,a,0,\n\na,benign,a,0,\n", 4, "image 'a' is named twice"),
        (f"{HEADER}\na,benign,g,0,\nb,benign,g,1,\n", 3, "group 'g' is in fold 1 and in fold 0"),
        (f"{HEADER}\na,benign,g,0,\nb,benign,g,,\n", 3, "group 'g' is in no fold and in fold 0"),
        (f"{HEADER}\na,benign,a,first,\n", 2, "fold is 'first'"),
        (f"{HEADER}\na,benign,a,-1,\n", 2, "fold is '-1'"),
        (f"{HEADER}\na,benign,,1,\n", 2, "must not be empty"),
        (f"{HEADER}\na,benign,a,1,copy;odd\n", 2, "flag 'odd' is not known"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_by_line(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read(path)
    assert f"mine.csv, line {line}: " in str(caught.value)
    assert problem in str(caught.value)
    assert caught.value.hint


def test_a_missing_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv cannot be read"):
        read(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        read(tmp_path / "picture.csv")


def test_the_shipped_folds_of_busi_hold_what_is_known_of_it() -> None:
    folds = shipped("busi")
    assert Counter(row.label for row in folds.rows) == {"benign": 437, "malignant": 210, "normal": 133}
    groups: dict[str, list[Row]] = {}
    for row in folds.rows:
        groups.setdefault(row.group, []).append(row)
    copies = [rows for rows in groups.values() if len(rows) > 1]
    assert len(copies) >= 145
    assert sum(map(len, copies)) >= 325
    assert max(map(len, copies)) == 7
    crossing = {tuple(row.image for row in rows) for rows in copies if len({row.label for row in rows}) > 1}
    assert len(crossing) == 8
    assert crossing >= {
        ("benign (433)", "malignant (145)"),
        ("benign (42)", "benign (131)", "malignant (51)"),
        ("benign (269)", "normal (1)"),
        ("benign (437)", "normal (34)"),
    }
    left_out = {row.image for row in folds.rows if row.fold is None}
    assert left_out == {"benign (269)", "normal (1)", "benign (437)", "normal (34)"}
    assert left_out == {row.image for row in folds.rows if EXCLUDED in row.flags}


def test_the_shipped_folds_of_busi_are_balanced() -> None:
    folds = shipped("busi")
    assert folds.count == 5
    label = {row.image: row.label for row in folds.rows}
    for wanted in ("benign", "malignant", "normal"):
        counts = [sum(label[name] == wanted for name in folds.test(fold)) for fold in range(5)]
        assert max(counts) - min(counts) <= 1
    for fold in range(5):
        check_disjoint(
            (folds.groups[name] for name in folds.training(fold)), (folds.groups[name] for name in folds.test(fold))
        )


def test_a_set_without_shipped_folds_is_named() -> None:
    with pytest.raises(UserError, match="no folds are shipped for 'busy'; there are some for busi"):
        shipped("busy")
