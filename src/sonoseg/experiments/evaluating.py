"""A run, a benchmark's runs or a model file on a set: tables, and beside another set's figures those at home."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sonoseg.data.samples import DataSet
from sonoseg.data.sets.sources import open_set
from sonoseg.evaluation import judging, transfer
from sonoseg.evaluation.references import cases_at
from sonoseg.evaluation.summary import CASES, sum_up, write_tables
from sonoseg.experiments.plan import set_of
from sonoseg.learning.run import of_run, runs_in
from sonoseg.prediction.modelfile import shipped


@dataclass(frozen=True)
class Judged:
    """Where the tables were written, and the content of ``summary.json``."""

    folder: Path
    summary: dict[str, Any]


def evaluate(
    run: str | Path,
    data: DataSet | str | None = None,
    home: Path | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Judged:
    """Judge a run or a model on the fold that it held out, or on all of another set, and write the tables.

    run: a run's folder, or a benchmark's for another set; or a model as ``modelfile.load`` takes it. data: the set, or
    how ``open_set`` names it; the run's own if left out. home: the table of the figures at home or its folder; the
    run's own, if there is one. out: the run's own folder, RUN/on-SET or MODEL-on-SET if left out.
    Errors: ``UserError`` as ``judging.judge_all`` and ``cases_at``.
    """
    where = Path(run)
    runs = runs_in(where) if where.is_dir() and str(run) not in shipped() else []  # ./default is a folder
    if data is None or isinstance(data, str):
        data = open_set(data or set_of(where))
    at_home = cases_at(home) if home else None  # a wrong place is told before anything is judged
    candidates = [of_run(folder) for folder in runs] or [judging.of_model(run)]
    abroad = not all(judging.at_home(candidate, data) for candidate in candidates)
    found = judging.judge_all(candidates, data, progress)
    summary = sum_up(found.cases, found.counts)
    if abroad:
        if at_home is None and (where / CASES).is_file():
            at_home = cases_at(where)
        drops = transfer.drops(at_home, found.cases) if at_home else {}
        trained = candidates[0].trained_on.get("set", "unknown")
        summary["external"] = {"trained_on": trained, "judged_on": data.name, "models": drops}
    own = where / f"on-{data.name}" if abroad else where
    folder = out or (own if runs else Path(f"{candidates[0].model}-on-{data.name}"))
    write_tables(folder, found.cases, found.counts, summary)
    return Judged(folder, summary)
