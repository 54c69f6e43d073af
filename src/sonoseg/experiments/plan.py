"""What a benchmark compares: arms x folds x seeds. A plan is a file that a person writes, or is made of models."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from sonoseg.data.folds import checksum
from sonoseg.data.samples import DataSet
from sonoseg.errors import UserError
from sonoseg.learning.config import CONFIG, FIELDS, Config, read_config, told_settings

CELLS, REPORT = "cells", "report.html"

KEYS = ("folds", "seeds", "folds_sha256", "judged", "recipe", "arms")
OWN = ("fold", "seed")
"""Settings that cells have and no arm."""
TEST, VALIDATION = "test", "validation"
"""What cells are judged on: the fold that is held out, or the part that is cut off its training."""

LONGEST = 100
"""Characters of an arm's name: it is part of that of a folder."""

NAMES: dict[str, Callable[[str], str]] = {
    "also": lambda spec: spec.partition(":")[0],
    "encoder_weights": lambda file: Path(file).name,
}
"""Settings whose place may be another one on each machine, and how what lies there is called on all of them."""


@dataclass(frozen=True)
class Arm:
    """A recipe under a name of its own, which its rows are called by."""

    name: str
    recipe: Config


@dataclass(frozen=True)
class Cell:
    """One training and what it is judged on: an arm, a fold and a seed. judged: as of ``Plan``."""

    arm: str
    config: Config
    judged: str = TEST

    @property
    def name(self) -> str:
        """How it is called in messages and figures."""
        return f"{self.arm} fold {self.config.fold} seed {self.config.seed}"

    def folder(self, out: Path) -> Path:
        """Where it lies in the output folder."""
        return out / CELLS / self.name.replace(" ", "-")


@dataclass(frozen=True)
class Plan:
    """What is compared: arms x folds x seeds, all of one set. folds_sha256: of the folds that are meant, or empty.

    judged: ``TEST``, or ``VALIDATION`` to choose a recipe for one fold without a look at it.
    Errors: ``UserError`` for no arm, no fold, no seed, two of one name, a name that is no name of a folder, and for
    validation parts of several folds, or of none.
    """

    arms: tuple[Arm, ...]
    folds: tuple[int, ...]
    seeds: tuple[int, ...]
    folds_sha256: str = ""
    judged: str = TEST

    def __post_init__(self) -> None:
        for what, values in (("arm", [arm.name for arm in self.arms]), ("fold", self.folds), ("seed", self.seeds)):
            if not values or len(set(values)) < len(values):
                found = ", ".join(map(str, values)) or "none"
                raise UserError(f"the plan has as {what}s: {found}; one at least, and each once, is needed", _HOW)
        for arm in self.arms:
            if not re.fullmatch(rf"[A-Za-z0-9._-]{{1,{LONGEST}}}", arm.name):
                raise UserError(
                    f"an arm is called {arm.name!r}; letters, digits, - and _ make a name, {LONGEST} at most",
                    hint='name = "unet"',
                )
        if self.judged not in (TEST, VALIDATION):
            raise UserError(
                f"the plan is judged on {self.judged!r}; {TEST} or {VALIDATION} is known", 'judged = "test"'
            )
        if self.judged == VALIDATION and len(self.folds) > 1:
            raise UserError(
                f"the plan is judged on the validation parts of {len(self.folds)} folds; "
                "what is chosen for one fold is chosen within its own training",
                hint=f"give --folds {self.folds[0]}, and each other fold an --out of its own",
            )
        if self.judged == VALIDATION and (without := [arm.name for arm in self.arms if not arm.recipe.validation]):
            raise UserError(
                f"the plan is judged on validation parts, and {', '.join(without)} cut off none",
                hint="write validation = 0.2 under [recipe]",
            )

    @property
    def cells(self) -> list[Cell]:
        """Seeds outermost and arms innermost: a first table stands early."""
        return [
            Cell(arm.name, replace(arm.recipe, fold=fold, seed=seed), self.judged)
            for seed, fold, arm in product(self.seeds, self.folds, self.arms)
        ]

    @property
    def data(self) -> str:
        """The set's spec, that of every arm."""
        return self.arms[0].recipe.data

    def check(self, data: DataSet) -> None:
        """Errors: ``UserError`` where the folds are not those of the set."""
        if self.folds_sha256 and self.folds_sha256 != (found := checksum(data.folds)):
            raise UserError(
                f"the plan is for folds with the checksum {self.folds_sha256}; those of {data.spec} have {found}",
                hint="give the set that the plan names, or make a plan for this one",
            )
        for fold in self.folds:
            data.folds.test(fold)

    def missing(self, out: Path) -> list[Cell]:
        """The cells that are not judged yet."""
        from sonoseg.evaluation.summary import CASES  # with SciPy, which a typo does not wait for

        return [cell for cell in self.cells if not (cell.folder(out) / CASES).exists()]

    def resolved(self, data: DataSet) -> "Plan":
        """The plan with the epochs of each arm, see ``run.resolve``."""
        from sonoseg.learning.run import resolve  # with torch, which the reading of a plan does not wait for

        return replace(self, arms=tuple(Arm(arm.name, resolve(arm.recipe, data)) for arm in self.arms))

    def settings(self) -> dict[str, Any]:
        """The settings that all arms share, without paths of this machine."""
        first, *others = self._told().values()
        shared = {name: value for name, value in first.items() if all(other[name] == value for other in others)}
        return {name: value for name, value in shared.items() if name not in OWN}

    def own_settings(self) -> dict[str, dict[str, Any]]:
        """What each arm has of its own, by name."""
        shared = {*self.settings(), *OWN}
        return {
            name: {key: value for key, value in of.items() if key not in shared} for name, of in self._told().items()
        }

    def _told(self) -> dict[str, dict[str, Any]]:
        return {arm.name: told_settings(arm.recipe) for arm in self.arms}


def of_models(recipe: Config, models: Iterable[str], folds: Sequence[int], seeds: Sequence[int]) -> Plan:
    """Compare models by one recipe; each arm is called by its model."""
    return Plan(tuple(Arm(name, replace(recipe, model=name)) for name in models), tuple(folds), tuple(seeds))


def read_plan(
    path: Path, given: Mapping[str, Any], folds: Sequence[int] | None = None, seeds: Sequence[int] | None = None
) -> Plan:
    """Read a plan, TOML: ``folds`` and ``seeds``, a table ``recipe``, and ``arms``, each a name and what it changes.

    given: settings that stand above those of the file, for every arm, such as where the data lies here; those of
    ``NAMES`` are the places of what the file names, in the arms that have it. folds, seeds: those that stand above the
    file's.
    Errors: ``UserError`` for a file that cannot be read, unknown keys and settings, a place of what the file does not
    name, and as of ``Plan`` and ``Config``.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} cannot be read as a plan ({error})", hint=_HOW) from error
    _refuse_unknown(content, KEYS, path)
    recipe, arms = content.get("recipe", {}), content.get("arms", [])
    if not isinstance(recipe, dict) or not isinstance(arms, list) or not all(isinstance(arm, dict) for arm in arms):
        raise UserError(f"{path}: recipe must be a table and arms a list of tables", hint=_HOW)
    above = {name: value for name, value in given.items() if name not in NAMES}
    made = [_arm(path, recipe, arm, above) for arm in arms]
    for name in NAMES.keys() & given.keys():
        made = _placed(path, made, name, given[name])
    return Plan(
        tuple(made),
        _numbers(path, content, "folds") if folds is None else tuple(folds),
        _numbers(path, content, "seeds") if seeds is None else tuple(seeds),
        str(content.get("folds_sha256", "")),
        str(content.get("judged", TEST)),
    )


def _placed(path: Path, arms: Sequence[Arm], setting: str, given: str | tuple[str, ...]) -> list[Arm]:
    """The arms with what they name at the places that are given. Errors: as of ``read_plan``."""

    def names(value: str | tuple[str, ...]) -> list[str]:
        return [NAMES[setting](each) for each in ([value] if isinstance(value, str) else value)]

    def moved(value: str | tuple[str, ...]) -> Any:
        return where.get(NAMES[setting](value), value) if isinstance(value, str) else tuple(map(moved, value))

    places = (given,) if isinstance(given, str) else given
    where = {NAMES[setting](place): place for place in places}
    values = [getattr(arm.recipe, setting) for arm in arms]
    for name, place in zip(names(places), places, strict=True):
        times = {names(value).count(name) for value in values} - {0}
        if times != {1} or names(places).count(name) > 1:
            known = ", ".join(dict.fromkeys(each for value in values for each in names(value))) or "nothing"
            raise UserError(
                f"--{setting.replace('_', '-')} {place} is given, and {path} names {known} there; "
                "beside a plan another place of the same name may be given, each once",
                hint="write it into a copy of the plan, and give another --out",
            )
    return [
        Arm(arm.name, replace(arm.recipe, **{setting: moved(value)})) for arm, value in zip(arms, values, strict=True)
    ]


def set_of(where: Path) -> str:
    """How a run, or the first of a benchmark, named its data. Errors: ``UserError`` where nothing tells it."""
    for folder in (where, *sorted((where / CELLS).glob("*"))):
        if (folder / CONFIG).is_file():
            return read_config(folder / CONFIG).data
    raise UserError(
        f"{where} has no {CONFIG} that tells the images to judge on", hint="name them: --data busi:PATH, or folder:PATH"
    )


def _arm(path: Path, recipe: Mapping[str, Any], arm: Mapping[str, Any], given: Mapping[str, Any]) -> Arm:
    settings = [name for name in FIELDS if name not in OWN]
    for table, allowed in ((recipe, settings), (arm, ["name", *settings])):
        _refuse_unknown(table, allowed, path)
    if "data" in arm:
        raise UserError(f"{path}: an arm names its own data; all arms are judged on one set", hint="move it to recipe")
    values = {**recipe, **{key: value for key, value in arm.items() if key != "name"}, **given}
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    if "data" not in values:
        raise UserError(f"{path} names no data", hint='write data = "busi:PATH" under [recipe], or give --data')
    return Arm(str(arm.get("name", "")), Config(**values))


def _refuse_unknown(table: Mapping[str, Any], allowed: Iterable[str], path: Path) -> None:
    if unknown := sorted(table.keys() - set(allowed)):
        raise UserError(f"{path} has {', '.join(unknown)}; {', '.join(allowed)} are known", hint="correct the plan")


def _numbers(path: Path, content: Mapping[str, Any], name: str) -> tuple[int, ...]:
    values = content.get(name)
    if not isinstance(values, list) or not all(type(value) is int and value >= 0 for value in values):
        raise UserError(f"{path}: {name} is {values!r}; a list of numbers from 0 is needed", hint=f"{name} = [0, 1]")
    return tuple(values)


_HOW = "plans/four-unets.toml is one that works"
