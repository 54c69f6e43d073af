"""What of a set is trained on, watched and held out."""

from dataclasses import dataclass

from sonoseg.data.dealing import assign
from sonoseg.data.folds import check_disjoint
from sonoseg.data.samples import DataSet, Sample


@dataclass(frozen=True)
class Split:
    """The samples of a run; no group is on two sides. validation is empty unless it was asked for."""

    training: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    test: tuple[Sample, ...]


PARTS = 20
"""A share of the training part is made of so many equal parts, or of as many as there are groups."""


def split(data: DataSet, fold: int, validation: float = 0.0, seed: int = 0, share: float = 1.0) -> Split:
    """Cut a set by its folds; fold -1 trains on all of them. The validation part is cut from training, by groups.

    share: of the training part, after that, how much is kept: whole groups, classes balanced; of one seed a smaller
    share lies in a larger one.

    Errors: ``UserError`` for a fold that does not exist, and for a group in training and test.
    """
    table, groups = data.folds, data.folds.groups
    samples = {sample.name: sample for sample in data.samples}
    test = () if fold < 0 else table.test(fold)
    training = tuple(sample.name for sample in scored(data)) if fold < 0 else table.training(fold)
    watched: set[str] = set()
    labels = {row.image: row.label for row in table.rows}
    if validation > 0:
        parts = assign(training, labels, groups, max(2, round(1 / validation)), seed)
        watched = {name for name, part in parts.items() if part == 0}
    kept = [name for name in training if name not in watched]
    if share < 1:
        count = min(PARTS, len({groups[name] for name in kept}))
        parts = assign(kept, labels, groups, count, seed)
        kept = [name for name in kept if parts[name] < max(1, round(share * count))]
    check_disjoint((groups[name] for name in [*kept, *watched]), (groups[name] for name in test))
    check_disjoint((groups[name] for name in kept), (groups[name] for name in watched))
    return Split(
        tuple(samples[name] for name in kept),
        tuple(samples[name] for name in training if name in watched),
        tuple(samples[name] for name in test),
    )


def scored(data: DataSet) -> tuple[Sample, ...]:
    """The samples that may be trained on and scored: those that lie in a fold."""
    kept = {row.image for row in data.folds.rows if row.fold is not None}
    return tuple(sample for sample in data.samples if sample.name in kept)
