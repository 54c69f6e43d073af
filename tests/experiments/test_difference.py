from dataclasses import replace
from pathlib import Path

import pytest

from rows import row as case
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import Case, read_cases, write_cases
from sonoseg.evaluation.intervals import bootstrap_difference
from sonoseg.experiments import difference

RESULTS = Path(__file__).parent.parent.parent / "results"
LEVERS, HOME = RESULTS / "levers", RESULTS / "going-home"


@pytest.mark.parametrize(
    ("folder", "cases", "against"),
    [
        (LEVERS, ["fold-0", "fold-4"], ["fold-0:plain", "fold-4:plain"]),
        (HOME / "five-folds", ["."], ["../../default"]),
    ],
)
def test_the_committed_finding_is_what_the_program_makes_of_the_committed_cases(
    folder: Path, cases: list[str], against: list[str], tmp_path: Path
) -> None:
    own, reference = difference.read([str(folder / each) for each in cases], [str(folder / each) for each in against])
    written = (folder / difference.PAGE).read_text(encoding="utf-8").splitlines()
    about = written[0].removeprefix("# Set against ").removesuffix(", image by image")
    difference.write(tmp_path, difference.compare(own, reference), about, written[-1].strip())
    for name in (difference.TABLE, difference.PAGE):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_differences_by_hand() -> None:
    own = [case("x", "new", dice=0.8), case("y", "new", dice=0.4), case("n", "new", lesion=0, drawn=1)]
    old = [case("y", "old", dice=0.1), case("x", "old", dice=0.7), case("n", "old", lesion=0, drawn=0)]
    lesion, normal = difference.compare(own, old)
    assert [lesion[name] for name in ("measure", "model", "images", "groups")] == ["lesion Dice", "new", 2, 2]
    assert [lesion[name] for name in ("value", "against", "difference")] == pytest.approx([0.6, 0.4, 0.2])
    assert (lesion["low"], lesion["high"]) == pytest.approx((0.1, 0.3))
    assert [normal[name] for name in ("measure", "value", "against", "difference")] == ["normals drawn on", 1, 0, 1]
    assert "adjusted_low" not in lesion


def test_one_network_has_the_paired_interval_and_several_are_adjusted() -> None:
    cases = [each for each in read_cases(RESULTS / "four-unets" / "cases.csv") if each.seed == 0]
    own = {model: [each for each in cases if each.model == model] for model in ("unet", "recurrent-unet")}
    (alone, _) = difference.compare(own["recurrent-unet"], own["unet"])
    pairs = [
        (one.dice, other.dice, one.group)
        for one, other in zip(own["recurrent-unet"], own["unet"], strict=True)
        if one.has_lesion
    ]
    direct = bootstrap_difference([a for a, _, _ in pairs], [b for _, b, _ in pairs], [group for _, _, group in pairs])
    assert (alone["low"], alone["high"]) == pytest.approx((direct.low, direct.high), abs=1e-3)
    both, twin, *_ = difference.compare(
        [*own["recurrent-unet"], *(replace(each, model="twin") for each in own["recurrent-unet"])], own["unet"]
    )
    assert both["difference"] == twin["difference"] == alone["difference"]
    assert both["adjusted_low"] <= both["low"] + 1e-3


def test_networks_of_one_name_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "old", [case(name, "unet", dice=0.5) for name in "xyz"])
    write(tmp_path / "new", [case(name, "unet", dice=0.6) for name in "xy"])
    own, reference = difference.read([str(tmp_path / "new")], [str(tmp_path / "old")])
    assert [row.image for row in reference] == ["x", "y"]
    (found,) = difference.compare(own, reference)
    assert found["difference"] == pytest.approx(0.1)


def test_tables_of_two_folds_are_one(tmp_path: Path) -> None:
    for fold, better in enumerate((0.1, 0.3)):
        images = [f"{fold}-{number}" for number in range(4)]
        rows = [case(name, "plain", dice=0.5, fold=fold) for name in images]
        write(tmp_path / f"{fold}", [*rows, *(replace(row, model="more", dice=0.5 + better) for row in rows)])
    both = [str(tmp_path / f"{fold}") for fold in (0, 1)]
    (found,) = difference.compare(*difference.read(both, [f"{each}:plain" for each in both]))
    assert (found["model"], found["images"]) == ("more", 8)
    assert found["difference"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("cases", "against", "message"),
    [
        (["a"], ["a"], "has plain, more; one is compared with"),
        (["a:plain"], ["a:plain"], "set against itself"),
        (["a"], ["a:plain", "b:other"], "--against names other and plain"),
        (["a"], ["a:plain", "a/cases.csv:plain"], "--against names a table twice"),
        (["a", "a:more"], ["a:plain"], "--cases names more of .* twice"),
        (["b"], ["a:plain"], "was not judged on y"),
        (["nowhere"], ["a:plain"], "does not exist"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, cases: list[str], against: list[str], message: str) -> None:
    write(tmp_path / "a", [case("x", "plain"), case("x", "more")])
    write(tmp_path / "b", [case("y", "other")])
    with pytest.raises(UserError, match=message):
        difference.read([str(tmp_path / each) for each in cases], [str(tmp_path / each) for each in against])


def write(folder: Path, rows: list[Case]) -> None:
    folder.mkdir()
    write_cases(folder / "cases.csv", rows)


def test_tables_that_tell_one_thing_twice_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "old", [case("x", "plain"), case("x", "unet")])
    for name in ("a", "b"):
        write(tmp_path / name, [case("x", "unet")])
    both = [str(tmp_path / name) for name in ("a", "b")]
    with pytest.raises(UserError, match="both tell unet on x, fold 0, seed 0"):
        difference.read(both, [f"{tmp_path / 'old'}:plain"])
    with pytest.raises(UserError, match="both tell unet on x, fold 0, seed 0"):
        difference.read([f"{tmp_path / 'old'}:plain"], both)
