"""Entries and results -> ``leaderboard.json``: everything that the page shows, computed once.

Only what was judged on the same images is set side by side: a section for each choice of folds that somebody was judged
on, in which everybody stands who was judged on all of them, with the figures on exactly these.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sonoseg.errors import UserError
from sonoseg.evaluation import breakdown, paired
from sonoseg.evaluation.cases import Case, by_model, read_cases
from sonoseg.evaluation.entries import ENTRY, PROTOCOL, Entry, check, read_entry, same_truth
from sonoseg.evaluation.intervals import plain
from sonoseg.evaluation.summary import CASES, INTERVAL_RULE, SUMMARY, of_nothing, of_one

BENCHMARKED, DECLARED, UNDECLARED = "by sonoseg benchmark", "declared", "not declared"
"""Who says that a network had seen neither the image that it was judged on nor a copy: a table that calls itself one of
``sonoseg benchmark``, which refuses to judge what it trained on; the authors; nobody. No table proves it."""


@dataclass(frozen=True, eq=False)
class Standing:
    """Somebody's figures: what they are called, what stands behind them, and their rows, all of one model.

    where: the folder. held_out: ``BENCHMARKED``, ``DECLARED`` or ``UNDECLARED``.
    """

    entry: Entry
    where: str
    held_out: str
    cases: tuple[Case, ...]


def find(places: Iterable[Path]) -> tuple[list[Standing], list[Path]]:
    """Read every entry and every benchmark's results in or below the places; and the tables that are neither's.

    Results that are no whole benchmark's, or without a checksum of folds, are among the last.
    Errors: ``UserError`` for a place that is no folder or holds none, an entry that does not hold, two of one name.
    """
    found: list[Standing] = []
    passed: list[Path] = []
    for place in places:
        if not place.is_dir():
            raise UserError(f"{place} is no folder", hint="give the folders that hold results and entries")
        for folder in _folders(place):
            standings = list(_standings(folder))
            found += standings
            if not standings:
                passed.append(folder / CASES)
    if not found:
        raise UserError(
            "there is no entry and no benchmark in " + ", ".join(map(str, places)),
            hint="sonoseg benchmark and sonoseg score write such folders",
        )
    return _named_apart(found), passed


def summarise(standings: Sequence[Standing], command: str) -> dict[str, Any]:
    """Plain data of a page: ``sections``, each with its ``entries``, best mean first, and what silence scores.

    Errors: ``UserError`` where two tables tell the size or the truth of an image otherwise.
    """
    grounds: dict[tuple[str, str], list[Standing]] = {}
    for each in standings:
        grounds.setdefault((each.entry.set, each.entry.folds_sha256), []).append(each)
    sections = [section for ground in grounds.values() for section in _sections(ground)]
    return {
        "protocol": PROTOCOL,
        "margin": paired.MARGIN,
        "interval_rule": INTERVAL_RULE,
        "sections": sections,
        "command": command,
    }


def _folders(place: Path) -> Iterator[Path]:
    """Folders with a table of cases; what lies below one, and the cells of a benchmark, are no entries of their own."""
    if (place / CASES).is_file() or (place / ENTRY).is_file():
        yield place
        return
    for folder in sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if folder.name != "cells":
            yield from _folders(folder)


def _standings(folder: Path) -> Iterator[Standing]:
    if (folder / ENTRY).is_file():
        entry, cases = read_entry(folder)
        yield Standing(entry, folder.name, DECLARED if entry.held_out else UNDECLARED, tuple(cases))
        return
    summary = _summary(folder / SUMMARY)
    if not _of_benchmark(summary):
        return
    data = summary["data"]
    for model, rows in by_model(read_cases(folder / CASES)).items():
        entry = Entry(
            name=model,
            set=data["name"],
            folds_sha256=data["folds_sha256"],
            folds=tuple(sorted({row.fold for row in rows})),
            seeds=tuple(sorted({row.seed for row in rows})),
            trained_on=trained_on(summary, model),
            licence="",
            held_out=True,
            source=folder.name,
        )
        check(folder, entry, rows)
        yield Standing(entry, folder.name, BENCHMARKED, tuple(rows))


def _of_benchmark(summary: Mapping[str, Any]) -> bool:
    """Whether a summary is a whole benchmark's: of a plan's settings, judged on test folds that it names.

    On a validation part no fold was held out; what ``score`` writes has no settings.
    """
    judged = summary.get("judged", "test") == "test" and "folds_sha256" in summary.get("data", {})
    settings, arms = summary.get("settings"), summary.get("arms", {})
    planned = isinstance(settings, dict) and isinstance(arms, dict) and bool(settings or arms)
    return judged and planned and "given" not in summary


def _summary(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error})", hint="make it again: sonoseg report") from error
    return found if isinstance(found, dict) and isinstance(found.get("data", {}), dict) else {}


def trained_on(summary: Mapping[str, Any], model: str) -> str:
    """What the settings of a benchmark say of a model's training, in words."""
    settings = summary.get("settings", {}) | summary.get("arms", {}).get(model, {})
    words = f"the other folds of {summary['data']['name']}"
    if (share := settings.get("share", 1.0)) < 1:
        words = f"{share:.0%} of the groups in {words}"
    if settings.get("also"):
        words += f", with {settings['also']}"
    if settings.get("encoder", "plain") != "plain":
        weights = settings.get("encoder_weights", "none")
        words += f"; encoder {settings['encoder']}, " + ("from nothing" if weights == "none" else f"begun as {weights}")
    elif not settings.get("pretrained"):
        words += "; from nothing"
    if settings.get("pretrained"):
        words += f"; begun with the run {settings['pretrained']}"
    if settings.get("teachers"):
        words += f"; taught by {settings['teachers']}"
    return words


def _named_apart(found: Sequence[Standing]) -> list[Standing]:
    """The standings under names of their own: two results of one name get that of their folder before it."""
    names = [each.entry.name for each in found]
    apart = [
        each
        if names.count(each.entry.name) == 1 or each.held_out != BENCHMARKED
        else replace(each, entry=replace(each.entry, name=f"{each.where}: {each.entry.name}"))
        for each in found
    ]
    seen: dict[str, Standing] = {}
    for each in apart:
        if (other := seen.setdefault(each.entry.name, each)) is not each:
            raise UserError(
                f"{other.where} and {each.where} are both called {each.entry.name}; names must differ",
                hint=f"change the name in one of the {ENTRY}",
            )
    return [replace(each, cases=tuple(replace(case, model=each.entry.name) for case in each.cases)) for each in apart]


def _sections(ground: Sequence[Standing]) -> list[dict[str, Any]]:
    known: dict[str, Case] = {}
    for each in ground:
        if problem := same_truth(each.cases, known):
            raise UserError(f"{each.where}: {problem}", hint="score the masks on the set of that release")
        known |= {case.image: case for case in each.cases if case.image not in known}
    choices = sorted({each.entry.folds for each in ground}, key=lambda folds: (-len(folds), folds))
    return [_section(ground, folds) for folds in choices]


def _section(ground: Sequence[Standing], folds: tuple[int, ...]) -> dict[str, Any]:
    """Everybody who was judged on all of these folds, on these alone."""
    inside = [
        replace(each, cases=tuple(case for case in each.cases if case.fold in folds))
        for each in ground
        if set(folds) <= set(each.entry.folds)
    ]
    figures = {each.entry.name: of_one(each.cases) for each in inside}
    inside.sort(key=lambda each: -(figures[each.entry.name]["lesion"]["dice"]["mean"] or 0.0))
    scores = breakdown.lesion_scores(case for each in inside for case in each.cases)
    behind = {found.second: found for found in paired.differences(scores, first_alone=True)}
    first = inside[0]
    return {
        "set": first.entry.set,
        "folds_sha256": first.entry.folds_sha256,
        "folds": list(folds),
        "groups": len({case.group for case in first.cases}),
        "entries": [_told(each, figures[each.entry.name]) | _behind(behind.get(each.entry.name)) for each in inside],
        "nothing": of_nothing(first.cases),
    }


def _told(each: Standing, figures: Mapping[str, Any]) -> dict[str, Any]:
    entry = each.entry
    own = {name: getattr(entry, name) for name in ("name", "trained_on", "licence", "authors", "source", "protocol")}
    return {**figures, **own, "seeds": list(entry.seeds), "folds": list(entry.folds), "held_out": each.held_out}


def _behind(found: paired.Difference | None) -> dict[str, Any]:
    """The first one's mean Dice minus this one's, with the interval that holds for all of them at once."""
    if found is None:
        return {"behind": None}
    return {"behind": plain(found.together) | {"apart": found.ahead is not None, "alike": found.alike}}
