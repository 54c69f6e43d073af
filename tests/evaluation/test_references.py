from dataclasses import replace
from pathlib import Path

import pytest

from rows import row as case
from sonoseg.errors import UserError
from sonoseg.evaluation.cases import write_cases
from sonoseg.evaluation.references import cases_at, models_of, reference_of, rows_of

OWN = [case("x", "it"), case("y", "it"), case("normal", "it", lesion=0)]


def test_a_table_is_found_by_folder_by_itself_and_by_its_summary(tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.csv", OWN)
    for name in ("", "cases.csv", "summary.json"):
        assert [row.image for row in cases_at(tmp_path / name)] == [row.image for row in OWN]
    with pytest.raises(UserError, match="does not exist"):
        cases_at(tmp_path / "other.csv")


def test_a_reference_has_the_rows_of_the_same_images(tmp_path: Path) -> None:
    others = [replace(each, model=model) for each in [*OWN, case("z")] for model in "ab"]
    write_cases(tmp_path / "cases.csv", others)
    for where in (f"{tmp_path}:b", f"{tmp_path / 'cases.csv'}:b"):
        assert {(row.image, row.model) for row in reference_of(where, OWN)} == {(each.image, "b") for each in OWN}
    with pytest.raises(UserError, match="has a, b; one is compared with") as caught:
        reference_of(str(tmp_path), OWN)
    assert caught.value.hint == f"--reference {tmp_path}:a"
    with pytest.raises(UserError, match="has no model c; a, b is there"):
        reference_of(f"{tmp_path}:c", OWN)
    with pytest.raises(UserError, match="does not exist"):
        reference_of("nowhere", OWN)


def test_rows_are_those_of_the_model_that_is_named(tmp_path: Path) -> None:
    write_cases(tmp_path / "cases.csv", [case("x", "a"), case("x", "b")])
    assert list(models_of(str(tmp_path))) == ["a", "b"]
    assert list(models_of(f"{tmp_path}:b")) == ["b"]
    assert [row.model for row in rows_of(f"{tmp_path}:a", "--against")] == ["a"]
    with pytest.raises(UserError) as caught:
        rows_of(str(tmp_path), "--against")
    assert caught.value.hint == f"--against {tmp_path}:a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "it"}, "both are called it"),
        ({"image": "another"}, "was not judged on"),
        ({"group": "another"}, "has another group, size or truth"),
        ({"fn": 10_000}, "has another group, size or truth"),
    ],
)
def test_a_reference_of_other_images_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    write_cases(tmp_path / "cases.csv", [replace(each, **{"model": "other"} | change) for each in OWN])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        reference_of(str(tmp_path), OWN)
