"""Draws docs/learning-curve.svg and prints what stands beside it: ``python docs/make_curve.py``.

Do recurrence and attention come into their own with more images? The plain and the recurrent attention U-Net on 25, 50
and 100 % of BUSI's training groups, and with BUS-BRA added, judged on the same held-out images.
"""

from pathlib import Path

import numpy as np

from sonoseg.evaluation.cases import Case, read_cases
from sonoseg.evaluation.intervals import Interval, bootstrap_difference, bootstrap_mean
from sonoseg.reports.charts import Axis, Series, linear_axis, plot
from sonoseg.reports.figures import figure

ROOT = Path(__file__).parent.parent
FOLDS, SEED = (0, 1), 0
PLAIN, BOTH = "unet", "recurrent-attention-unet"

# name: (results, what a model's rows end with, training images of a fold, about)
SIZES = {
    "25 %": ("learning-curve", "-25", 155),
    "50 %": ("learning-curve", "-50", 310),
    "100 %": ("four-unets", "", 621),
    "with BUS-BRA": ("larger-set", "", 1748),
}

APART = 1.04
"""How far the two points of the larger set stand from each other, as a factor."""

STYLE = (
    "<style>text{font:11px sans-serif;fill:#555}.title{font-size:13px;fill:#222}.end{text-anchor:end}"
    ".middle{text-anchor:middle}.grid{stroke:#ddd;fill:none}.line{fill:none;stroke-width:2}.faint{stroke-width:1;"
    "stroke-dasharray:3 3}"
    ".dots{fill:none;stroke-width:7;stroke-linecap:round}"
    ".c1{stroke:#2a6fbb}.c2{stroke:#c4561c}</style><rect width='100%' height='100%' fill='#fff'/>"
)


def dice_of(rows: list[Case], model: str) -> dict[str, Case]:
    """The rows of a model on the folds that all share, by image."""
    own = (row for row in rows if row.model == model and row.fold in FOLDS and row.seed == SEED and row.has_lesion)
    return {row.image: row for row in own}


def told(found: Interval, sign: bool = False) -> str:
    """Mean and interval."""
    return figure({"mean": found.mean, "low": found.low, "high": found.high}, sign=sign)


def counted(images: float) -> str:
    """How many, and which of them are not of BUSI."""
    return f"{images:g}" + (", with BUS-BRA" if images == SIZES["with BUS-BRA"][2] else "")


def main() -> None:
    """Draw and print."""
    values: dict[str, dict[str, np.ndarray]] = {PLAIN: {}, BOTH: {}}
    images: list[str] = []
    for name, (folder, ending, _) in SIZES.items():
        rows = read_cases(ROOT / "results" / folder / "cases.csv")
        for model in values:
            cases = dice_of(rows, model + ending)
            images = images or sorted(cases)
            groups = np.array([cases[image].group for image in images])
            values[model][name] = np.array([cases[image].dice for image in images])
    counts = [count for _, _, count in SIZES.values()]
    lines, every = [], []
    for colour, (model, by_size) in enumerate(values.items(), 1):
        found = [bootstrap_mean(dice, groups) for dice in by_size.values()]
        every += [end for each in found for end in (each.low, each.high)]
        *own, larger = found
        lines.append(Series(model, colour, counts[:-1], [each.mean for each in own]))
        lines += [
            Series("", colour, counts[:-1], [getattr(each, end) for each in own], faint=True) for end in ("low", "high")
        ]
        beside = counts[-1] * APART**colour  # of another set as well: a point of its own, not the end of the line
        lines.append(Series(model, colour, [beside], [larger.mean], dots=True))
        lines.append(Series("", colour, [beside] * 2, [larger.low, larger.high], faint=True))
        print(model, "; ".join(f"{name} {told(each)}" for name, each in zip(by_size, found, strict=True)))
    for name in SIZES:
        print(
            f"{BOTH} - {PLAIN}, {name}:",
            told(bootstrap_difference(values[BOTH][name], values[PLAIN][name], groups), True),
        )
    ahead = [values[BOTH][name] - values[PLAIN][name] for name in ("25 %", "100 %", "with BUS-BRA")]
    for name, more in zip(("100 %", "with BUS-BRA"), ahead[1:], strict=True):
        print(f"the difference, {name} - 25 %:", told(bootstrap_difference(more, ahead[0], groups), True))
    x = Axis("training images (logarithmic)", 140, 3100, tuple(map(float, counts)), log=True, write=counted)
    y = linear_axis("lesion Dice, folds 0 and 1; dashed: 95 %", min(every), max(every))
    title = "U-Net (blue), recurrent attention U-Net (orange)"
    chart = str(plot(title, x, y, lines, "Lesion Dice of two U-Nets against the number of training images"))
    chart = chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    start = chart.index(">") + 1
    (ROOT / "docs" / "learning-curve.svg").write_text(chart[:start] + STYLE + chart[start:] + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
