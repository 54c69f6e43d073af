"""What a benchmark found, in sentences: what the numbers allow to be said, and nothing more."""

from collections.abc import Mapping
from typing import Any

from sonoseg.reports.figures import figure, number, percent, sentence, short, span


def finding(summary: Mapping[str, Any]) -> list[str]:
    """Sum up in a few sentences. summary: the content of ``summary.json``."""
    return [
        *_on_the_part(summary),
        *_on_lesions(summary),
        *_on_differences(summary),
        *_on_normals(summary),
        *_on_confidence(summary),
        *_on_the_study(summary),
    ]


def _on_the_part(summary: Mapping[str, Any]) -> list[str]:
    if summary.get("judged") != "validation":
        return []
    return [
        f"Judged on the part that was cut off the training of fold {summary['folds'][0]} to choose by: no figure here "
        "is one of a held-out fold."
    ]


def claim(difference: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """What may be said of a pair of models, by the protocol's rule. difference: an entry of ``differences``."""
    first, second, ahead = difference["first"], difference["second"], difference["ahead"]
    within = f"within {points(summary['margin'])}"
    told = f"{_adjusted_figure(difference)} in mean lesion Dice{_adjustment(summary)}"
    if ahead:
        behind = second if ahead == first else first
        size = f", yet {within}" if difference["alike"] else ""
        return f"{ahead} is ahead of {behind}{size}: {first} − {second} is {told}."
    if difference["alike"]:
        return f"{first} or {second} makes no difference {within}: {first} − {second} is {told}."
    return f"{first} and {second} are not told apart: {first} − {second} is {told}."


def reading(difference: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """The same in a few words, for a table."""
    within = f"within {points(summary['margin'])}"
    if difference["ahead"]:
        return f"{difference['ahead']} is ahead" + (f", {within}" if difference["alike"] else "")
    return f"no difference {within}" if difference["alike"] else "not told apart"


def points(value: float) -> str:
    """Write a difference of Dice in points: 1.5 points."""
    return f"{short(round(100 * value, 6))} points"


def trained_on(summary: Mapping[str, Any]) -> list[str]:
    """Say on which machines the runs were trained, where they tell; one that moved counts on each."""
    found: dict[tuple[Any, ...], int] = {}
    for entry in summary["models"].values():
        for machine in entry.get("machines", ()):
            threads = f"{machine['threads']} thread{'s' if machine['threads'] != 1 else ''}"
            told = (machine["machine"], threads, machine["precision"], f"torch {machine['torch']}")
            found[told] = found.get(told, 0) + machine["runs"]
    return [f"{', '.join(told)}: {runs} run{'s' if runs != 1 else ''}" for told, runs in found.items()]


def abroad(found: Mapping[str, Mapping[str, Any]], home: str, away: str) -> list[str]:
    """Say what ``transfer.drops`` found, a sentence for each model. home, away: the sets' names."""
    return [
        f"{model}: lesion Dice {figure(of['home'])} at home on {of['home']['n']} images of {home}, "
        f"{figure(of['away'])} on {of['away']['n']} images of {away}; the drop is {figure(of['drop'])}"
        for model, of in found.items()
    ]


def _adjustment(summary: Mapping[str, Any]) -> str:
    count = len(_known(summary))
    return f", adjusted for {count} comparisons" if count > 1 else ""


def _known(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in summary["differences"] if each["adjusted"]["low"] is not None]


def _adjusted_figure(difference: Mapping[str, Any]) -> str:
    return figure({"mean": difference["mean"], **difference["adjusted"]}, sign=True)


def _on_lesions(summary: Mapping[str, Any]) -> list[str]:
    dice = {name: entry["lesion"]["dice"] for name, entry in summary["models"].items()}
    known = {name: found for name, found in dice.items() if found["mean"] is not None}
    if not known:
        return ["No image with a lesion was tested."]
    best, worst = (choose(known, key=lambda name: known[name]["mean"]) for choose in (max, min))
    images = known[best]["n"]
    if len(known) == 1:
        return [f"On {images} images with a lesion, {best} reaches a mean Dice of {sentence(known[best])}."]
    return [
        f"On {images} images with a lesion, the mean Dice is highest for {best}, {sentence(known[best])}, "
        f"and lowest for {worst}, {sentence(known[worst])}."
    ]


def _on_differences(summary: Mapping[str, Any]) -> list[str]:
    known = _known(summary)
    if not known:
        return []
    apart = sorted((each for each in known if each["ahead"]), key=lambda each: -abs(each["mean"]))
    alike = [each for each in known if each["alike"] and not each["ahead"]]
    adjusted = f" after adjusting for {len(known)} comparisons" if len(known) > 1 else ""
    no_difference = [_on_alike(alike, summary)] if alike else []
    if not apart:
        widest = max(known, key=lambda each: abs(each["mean"]))
        return [
            f"No two models are told apart{adjusted}: the largest difference, {widest['first']} − {widest['second']}, "
            f"is {number(widest['mean'], sign=True)} ({span(widest['adjusted'], sign=True)}).",
            *no_difference,
        ]
    first = apart[0]
    behind = first["second"] if first["ahead"] == first["first"] else first["first"]
    pairs = (
        f"{len(apart)} of the {len(known)} pairs of models {'is' if len(apart) == 1 else 'are'} told apart{adjusted}"
    )
    low, high = sorted((abs(first["adjusted"]["low"]), abs(first["adjusted"]["high"])))
    by = f"{number(abs(first['mean']))} ({span({'low': low, 'high': high})})"
    lead = f"{first['ahead']} is ahead of {behind} by {by}."
    told = lead if len(known) == 1 else f"{pairs}; most of all, {lead}" if len(apart) > 1 else f"{pairs}: {lead}"
    return [told, *no_difference]


def _on_alike(alike: list[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    pairs = "; ".join(f"{each['first']} and {each['second']}" for each in alike)
    return f"No difference within {points(summary['margin'])}: {pairs}."


def _on_normals(summary: Mapping[str, Any]) -> list[str]:
    drawn = [entry["normal"]["drawn"]["mean"] for entry in summary["models"].values() if entry["normal"]["images"]]
    if not drawn:
        return []
    images = max(entry["normal"]["images"] for entry in summary["models"].values())
    low, high = number(100 * min(drawn), 0), percent(max(drawn), 0)
    if len(drawn) == 1:
        return [f"It draws something on {high} of the {images} images without a lesion."]
    each = high if high.startswith(f"{low}\u00a0") else f"{low} to {high}"
    return [f"The models draw something on {each} of the {images} images without a lesion."]


def _on_confidence(summary: Mapping[str, Any]) -> list[str]:
    entries = {name: entry for name, entry in summary["models"].items() if entry.get("dice_of_most_certain")}
    known = {name: entry for name, entry in entries.items() if entry["dice_of_most_certain"]["mean"] is not None}
    if not known:
        return []
    name = max(known, key=lambda each: known[each]["dice_of_most_certain"]["mean"])
    kept, mean = known[name]["dice_of_most_certain"], known[name]["lesion"]["dice"]["mean"]
    aside = percent(1 - kept["share"], 0)
    whose = "" if len(summary["models"]) == 1 else f" of {name}"
    return [
        f"With the {aside} of the images set aside on which it is least certain, the mean Dice{whose} is "
        f"{number(kept['mean'])} instead of {number(mean)}."
    ]


def _on_the_study(summary: Mapping[str, Any]) -> list[str]:
    nothing = summary["nothing"]["all"]["study_accuracy"]["mean"]
    scores = [entry["all"]["study_accuracy"]["mean"] for entry in summary["models"].values()]
    scores = [score for score in scores if score is not None]
    if nothing is None or not scores:
        return []
    below = sum(score <= nothing for score in scores)
    every, any_ = ("every model", "any model") if len(scores) > 1 else ("the model", "the model")
    some = f"no less than {below} of the {len(scores)} models"
    than = {0: f"less than {every}", len(scores): f"no less than {any_}"}.get(below, some)
    return [
        f"On the accuracy that an earlier study reported, drawing nothing at all scores {number(nothing)}, {than}; "
        "its Dice is 0."
    ]
