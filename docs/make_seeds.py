"""Prints what the finished seeds of the four U-Nets say beside each other: ``python docs/make_seeds.py``.

While the plan's later seeds are not whole: of the models and folds that both seeds stand for.
"""

from pathlib import Path

from sonoseg.evaluation.breakdown import lesion_scores
from sonoseg.evaluation.cases import Case, read_cases
from sonoseg.evaluation.paired import differences
from sonoseg.reports.figures import figure

CELLS = Path(__file__).parent.parent / "results" / "four-unets" / "cells"
MODELS = ("unet", "recurrent-unet", "attention-unet", "recurrent-attention-unet")
PARTS = ((MODELS[:3], range(5)), (MODELS, range(4)))


def cases_of(models: tuple[str, ...], folds: range, seeds: tuple[int, ...]) -> list[Case]:
    """The rows of cells."""
    names = [f"{model}-fold-{fold}-seed-{seed}" for model in models for fold in folds for seed in seeds]
    return [case for name in names for case in read_cases(CELLS / name / "cases.csv")]


def main() -> None:
    """Print a table for each part."""
    for models, folds in PARTS:
        print(f"{', '.join(models)}; folds 0 to {folds[-1]}")
        for seeds in ((0,), (1,), (0, 1)):
            for each in differences(lesion_scores(cases_of(models, folds, seeds))):
                found = {"mean": each.together.mean, "low": each.together.low, "high": each.together.high}
                print(f"    seeds {seeds}: {each.first} - {each.second} {figure(found, sign=True)}, adjusted")


if __name__ == "__main__":
    main()
