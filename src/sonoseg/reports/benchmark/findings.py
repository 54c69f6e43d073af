"""What a benchmark found, in sentences: what the numbers allow to be said, and nothing more."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sonoseg.evaluation.breakdown import Difference
from sonoseg.reports.benchmark.tables import interval, number, percent, signed, span


def finding(summary: Mapping[str, Any], differences: Sequence[Difference]) -> list[str]:
    """Sum up in a few sentences. summary: the content of ``summary.json``; differences: of all pairs of models."""
    return [
        *_on_lesions(summary),
        *_on_differences(differences),
        *_on_normals(summary),
        *_on_confidence(summary),
        *_on_the_study(summary),
    ]


def _on_lesions(summary: Mapping[str, Any]) -> list[str]:
    dice = {name: interval(entry["lesion"]["dice"]) for name, entry in summary["models"].items()}
    known = {name: found for name, found in dice.items() if not math.isnan(found.mean)}
    if not known:
        return ["No image with a lesion was tested."]
    best, worst = (choose(known, key=lambda name: known[name].mean) for choose in (max, min))
    images = known[best].n

    def words(name: str) -> str:
        found = known[name]
        between = "" if math.isnan(found.low) else f" (95\u00a0% interval {number(found.low)} to {number(found.high)})"
        return f"{number(found.mean)}{between}"

    if len(known) == 1:
        return [f"On {images} images with a lesion, {best} reaches a mean Dice of {words(best)}."]
    return [
        f"On {images} images with a lesion, the mean Dice is highest for {best}, {words(best)}, "
        f"and lowest for {worst}, {words(worst)}."
    ]


def _on_differences(differences: Sequence[Difference]) -> list[str]:
    known = [each for each in differences if not math.isnan(each.together.low)]
    if not known:
        return []
    apart = sorted((each for each in known if each.ahead), key=lambda each: -abs(each.alone.mean))
    adjusted = f" after adjusting for {len(known)} comparisons" if len(known) > 1 else ""
    if not apart:
        widest = max(known, key=lambda each: abs(each.alone.mean))
        return [
            f"No two models are told apart{adjusted}: the largest difference, {widest.first} − {widest.second}, is "
            f"{signed(widest.alone.mean)} ({span(widest.together)})."
        ]
    first = apart[0]
    behind = first.second if first.ahead == first.first else first.first
    pairs = (
        f"{len(apart)} of the {len(known)} pairs of models {'is' if len(apart) == 1 else 'are'} told apart{adjusted}"
    )
    low, high = sorted((abs(first.together.low), abs(first.together.high)))
    lead = f"{first.ahead} is ahead of {behind} by {number(abs(first.alone.mean))} ({number(low)} to {number(high)})."
    return [lead if len(known) == 1 else f"{pairs}; most of all, {lead}" if len(apart) > 1 else f"{pairs}: {lead}"]


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
