from collections import Counter
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scans import copied, scan
from sonoseg.data.copies import natural_key
from sonoseg.data.dealing import assign, from_groups, make
from sonoseg.data.folds import COPY, CROSSES, EXCLUDED, shipped, write
from sonoseg.errors import UserError


@st.composite
def grouped_sets(draw) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and groups by name; every group has one label."""
    sizes = draw(
        st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["benign", "malignant"])), min_size=6, max_size=40)
    )
    members = [(f"{label} {i}.{j}", label, f"group {i}") for i, (size, label) in enumerate(sizes) for j in range(size)]
    return {name: label for name, label, _ in members}, {name: g for name, _, g in members}


@settings(deadline=None, max_examples=50)
@given(grouped_sets(), st.integers(2, 6), st.integers(0, 3))
def test_folds_keep_groups_whole_and_balance_every_class(made, k: int, seed: int) -> None:
    labels, groups = made
    folds = assign(labels, labels, groups, k, seed)
    assert folds.keys() == labels.keys()
    assert len({(groups[name], fold) for name, fold in folds.items()}) == len(set(groups.values()))
    largest = max(Counter(groups.values()).values())
    for label in set(labels.values()):
        held = Counter(fold for name, fold in folds.items() if labels[name] == label)
        counts = [held[fold] for fold in range(k)]
        assert max(counts) - min(counts) <= largest


@settings(deadline=None, max_examples=50)
@given(grouped_sets(), st.randoms())
def test_folds_do_not_depend_on_the_order_of_the_input(made, random) -> None:
    labels, groups = made
    names = list(labels)
    random.shuffle(names)
    assert assign(names, {name: labels[name] for name in names}, groups) == assign(labels, labels, groups)


def test_single_images_are_balanced_to_within_one() -> None:
    labels = {f"benign ({i})": "benign" for i in range(43)} | {f"malignant ({i})": "malignant" for i in range(22)}
    folds = assign(labels, labels, {name: name for name in labels})
    for label, least in (("benign", 8), ("malignant", 4)):
        counts = Counter(folds[name] for name in labels if labels[name] == label)
        assert set(counts.values()) <= {least, least + 1}
    assert set(Counter(folds.values()).values()) == {13}


def test_the_seed_moves_images_and_the_assignment_stays_what_it_was_once() -> None:
    labels = {f"benign ({i})": "benign" for i in range(1, 11)}
    groups = {name: name for name in labels}
    assert list(assign(labels, labels, groups, 5, 0).items()) == list(assign(labels, labels, groups, 5, 0).items())
    assert assign(labels, labels, groups, 5, 0) != assign(labels, labels, groups, 5, 1)
    assert [assign(labels, labels, groups, 2, 0)[f"benign ({i})"] for i in range(1, 11)] == [
        0,
        1,
        1,
        1,
        0,
        0,
        1,
        1,
        0,
        0,
    ]


@pytest.mark.parametrize("k", [1, 0, -1, 4])
def test_a_number_of_folds_that_cannot_be_made_is_refused(k: int) -> None:
    with pytest.raises(UserError, match=f"{k} folds cannot be made of 3 groups; 2 to 3 can"):
        assign("abcd", dict.fromkeys("abcd", "benign"), {"a": "a", "b": "a", "c": "c", "d": "d"}, k)


def test_flags_follow_from_sizes_and_labels() -> None:
    labels = {"b1": "benign", "b2": "benign", "m1": "malignant", "b3": "benign", "n1": "normal"}
    labels |= {f"x{i}": "benign" for i in range(10)}
    groups = {name: name for name in labels} | {"b2": "b1", "m1": "b1", "n1": "b3", "x1": "x0"}
    folds = from_groups(labels, groups)
    flags = {row.image: row.flags for row in folds.rows}
    assert flags["b1"] == flags["b2"] == flags["m1"] == (COPY, CROSSES)
    assert flags["b3"] == flags["n1"] == (COPY, CROSSES, EXCLUDED)
    assert flags["x0"] == flags["x1"] == (COPY,)
    assert flags["x2"] == ()
    assert {row.image for row in folds.rows if row.fold is None} == {"b3", "n1"}


def test_neighbourhoods_share_a_fold_and_stay_groups_of_their_own() -> None:
    labels = {f"benign ({i})": "benign" for i in range(20)}
    groups = {name: name for name in labels}
    together = groups | {f"benign ({i})": "benign (0)" for i in range(4)}
    rows = {row.image: row for row in from_groups(labels, groups, together).rows}
    assert len({rows[f"benign ({i})"].fold for i in range(4)}) == 1
    assert {row.group for row in rows.values()} == set(labels)
    assert not any(row.flags for row in rows.values())


def test_folds_are_made_from_pixels() -> None:
    labels = {f"benign ({i})": "benign" for i in range(8)} | {f"normal ({i})": "normal" for i in range(4)}
    images = {name: scan(number) for number, name in enumerate(labels)}
    images["benign (6)"] = copied(images["benign (1)"], 1)
    images["normal (2)"] = copied(images["benign (3)"], 2)
    triples = [(name, label, images[name]) for name, label in labels.items()]
    folds = make(triples, k=3)
    rows = {row.image: row for row in folds.rows}
    assert [row.image for row in folds.rows] == sorted(labels, key=natural_key)
    assert rows["benign (6)"].group == rows["benign (1)"].group == "benign (1)"
    assert rows["benign (6)"].fold == rows["benign (1)"].fold is not None
    assert rows["normal (2)"].flags == rows["benign (3)"].flags == (COPY, CROSSES, EXCLUDED)
    assert {row.image for row in folds.rows if row.fold is None} == {"benign (3)", "normal (2)"}
    assert folds.count == 3
    assert make(reversed(triples), k=3) == folds


@pytest.mark.timeout(1200)  # half a minute of one core, and a busy machine must not fail it
def test_the_shipped_folds_of_busi_are_reproduced_byte_for_byte(real_data: Path, tmp_path: Path) -> None:
    files = [path for path in (real_data / "BUSI").rglob("*.png") if "_mask" not in path.name]
    images = ((path.stem, path.parent.name, np.asarray(PIL.Image.open(path).convert("L"))) for path in files)
    write(tmp_path / "made.csv", make(images))
    write(tmp_path / "shipped.csv", shipped("busi"))
    assert (tmp_path / "made.csv").read_bytes() == (tmp_path / "shipped.csv").read_bytes()
