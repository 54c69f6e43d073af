import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scans import Pixels, brightened, copied, cropped, marked, resized, saved_as_jpeg, scan
from sonoseg.data.copies import Pair, find_pairs, group, natural_key
from sonoseg.data.registration import COPY_SCORE, NEIGHBOUR_SCORE

NAMES = [f"benign ({number})" for number in range(8)]


@pytest.fixture(scope="module")
def planted() -> dict[str, Pixels]:
    """24 scans, a copy of each of the first 16, a second copy of each of the first 4."""
    images = {f"scan {i}": scan(i) for i in range(24)}
    images |= {f"copy {i}": copied(images[f"scan {i}"], i) for i in range(16)}
    return images | {f"other {i}": copied(images[f"scan {i}"], 100 + i) for i in range(4)}


def numbers(pair: Pair) -> set[str]:
    return {pair.first.split()[1], pair.second.split()[1]}


def test_every_planted_copy_is_found_and_nothing_else_comes_near(planted: dict[str, Pixels]) -> None:
    pairs = find_pairs(planted, least=0.3)
    true = [pair for pair in pairs if len(numbers(pair)) == 1]
    assert len(true) == 16 + 2 * 4
    assert min(pair.score for pair in true) > COPY_SCORE + 0.2
    assert max((pair.score for pair in pairs if pair not in true), default=0) < NEIGHBOUR_SCORE


def test_pairs_do_not_depend_on_the_order_and_come_in_natural_order(planted: dict[str, Pixels]) -> None:
    few = {name: planted[name] for name in sorted(planted) if int(name.split()[1]) in (0, 1, 2, 10)}
    forward, backward = find_pairs(few), find_pairs((name, few[name]) for name in reversed(list(few)))
    assert forward == backward
    assert forward == sorted(forward, key=lambda pair: (natural_key(pair.first), natural_key(pair.second)))
    assert all(natural_key(pair.first) < natural_key(pair.second) for pair in forward)


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels.copy(),
        lambda pixels: cropped(pixels, 0.05, 0.05, 0.05, 0.05),
        lambda pixels: cropped(pixels, 0.15, 0, 0, 0),
        lambda pixels: cropped(pixels, 0, 0.15, 0.15, 0),
        lambda pixels: resized(pixels, 0.5),
        lambda pixels: resized(pixels, 2.2),
        lambda pixels: brightened(pixels, 0.5),
        lambda pixels: marked(pixels, 3),
        saved_as_jpeg,
    ],
)
def test_one_change_leaves_a_copy(change) -> None:
    pixels = scan(5)
    assert [pair.score > 0.8 for pair in find_pairs({"a": pixels, "b": change(pixels), "c": scan(6)})] == [True]


def test_flat_small_and_narrow_images_are_nobodys_copies() -> None:
    black = np.zeros((200, 240), np.uint8)
    odd = {"black": black, "black too": black, "dot": black[:1, :1], "line": scan(1)[:2], "column": scan(1)[:, :1]}
    assert find_pairs(odd) == []
    assert find_pairs({}) == []


def test_the_mostly_black_copy_of_a_scan_is_found() -> None:
    wide = np.zeros((240, 600), np.uint8)
    wide[:, 150:450] = scan(2)
    assert len(find_pairs({"a": wide, "b": marked(wide, 1)})) == 1


def test_progress_rises_to_its_end_whether_the_number_is_known_or_not() -> None:
    images = {name: scan(number, 80, 100) for number, name in enumerate(NAMES)}
    for source in (images, iter(images.items())):
        steps: list[tuple[int, int]] = []
        find_pairs(source, lambda done, total: steps.append((done, total)))  # noqa: B023
        assert [done for done, _ in steps] == list(range(1, 17))
        assert steps[-1] == (16, 16)
        assert {total for _, total in steps} <= {0, 16}


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        find_pairs([("a", scan(0)), ("a", scan(1))])


def test_groups_are_closed_and_named_by_their_first_member() -> None:
    pairs = [Pair("benign (10)", "benign (11)", 0.9), Pair("benign (9)", "benign (11)", 0.9)]
    names = ["benign (11)", "benign (10)", "benign (9)", "benign (1)"]
    assert group(names, pairs) == dict.fromkeys(names[:3], "benign (9)") | {"benign (1)": "benign (1)"}


def test_a_pair_of_unknown_names_is_refused() -> None:
    with pytest.raises(KeyError):
        group(["a"], [Pair("a", "b", 1.0)])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=10), st.randoms())
def test_groups_are_the_finest_partition_that_holds_all_pairs(edges, random) -> None:
    pairs = [Pair(a, b, 1.0) for a, b in edges if a != b]
    groups = group(NAMES, pairs)
    assert all(groups[pair.first] == groups[pair.second] for pair in pairs)
    sizes = [list(groups.values()).count(g) for g in set(groups.values())]
    assert sum(size - 1 for size in sizes) <= len(pairs)
    assert all(groups[g] == g and natural_key(g) <= natural_key(name) for name, g in groups.items())
    random.shuffle(pairs)
    assert group(reversed(NAMES), pairs) == groups


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(alphabet="ab 0129()", max_size=8), unique=True))
def test_natural_order_sorts_any_names_and_tells_all_apart(names: list[str]) -> None:
    keys = sorted(natural_key(name) for name in names)
    assert len(set(keys)) == len(names)


def test_natural_order_counts() -> None:
    assert sorted(["x (10)", "x (9)", "x (1)", "a (11)"], key=natural_key) == ["a (11)", "x (1)", "x (9)", "x (10)"]
