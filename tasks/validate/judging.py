"""Judging values against one column, repairing what can be repaired without loss."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from datasynth.tasks.validate.columns import Column, Site, Table
from datasynth.tasks.validate.findings import Findings, Fix, Problem, Rows, with_fixes


@dataclass(frozen=True)
class Judgement:
    """What came of a batch of values."""

    values: list[Any]
    """In the order given, repaired where that was possible."""
    problems: dict[int, list[Problem]]
    """By row, in schema order; a row that is not here is valid."""
    repairs: dict[int, int]
    """Values changed, by row; a row that is not here was left as it was."""


class Judge:
    """A column that values are held against."""

    def __init__(self, column: Column) -> None:
        self.table = Table([column])

    def judge(self, values: list[Any], *, repair: bool) -> Judgement:
        """Checks `values`; with `repair`, those that a lossless change makes valid are changed (in a copy)."""
        findings = Findings()
        self.table.check([values], Site(Rows(), findings))
        findings.problems.sort(key=lambda problem: (problem.row, problem.order))
        problems = _by_row(findings.problems)
        if not (repair and findings.fixes):
            return Judgement(values, problems, {})
        values, repairs = list(values), {}
        for row, fixes in _by_row(findings.fixes).items():
            values[row] = with_fixes(values[row], fixes)
            repairs[row] = sum(fix.changes for fix in fixes)
        self._judge_again([row for row in repairs if row in problems], values, problems)
        return Judgement(values, problems, repairs)

    def _judge_again(self, rows: list[int], values: list[Any], problems: dict[int, list[Problem]]) -> None:
        """Replaces the problems of repaired rows by those that are left."""
        if not rows:
            return
        again = self.judge([values[row] for row in rows], repair=False).problems
        for n, row in enumerate(rows):
            del problems[row]
            if n in again:
                problems[row] = [problem._replace(row=row) for problem in again[n]]


Found = TypeVar("Found", Problem, Fix)


def _by_row(found: Iterable[Found]) -> dict[int, list[Found]]:
    rows: defaultdict[int, list[Found]] = defaultdict(list)
    for item in found:
        rows[item.row].append(item)
    return dict(rows)
