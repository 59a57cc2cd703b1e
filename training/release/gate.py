"""The gate: a table of bounds, and whether a candidate's numbers keep them. Pure; asks and writes nothing.

The rule: the worse end of a number's 95 % interval must keep the bound, not only the number. Where the
interval lies across the bound the rows can't decide; that is a refusal too, with the number of rows that
would. A bound of ``live - 0.02`` is on the difference to what the live version did on the same rows, as is
its interval; it is shown moved by live's value, in the metric's own unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from pointsman.document import Document
from training.evaluation.measures import Measure
from training.evaluation.report import is_share
from training.release.intervals import CHANGE, SHARE, Interval, of_difference, of_ratio

Outcome = Literal["pass", "fail", "undecided"]
_RELATIVE = re.compile(r"live(?:\s*([+-])\s*(\d+(?:\.\d+)?))?")


def _bound(given: float | str) -> float | str:
    if isinstance(given, str) and not _RELATIVE.fullmatch(given):
        raise ValueError("must be a number, `live`, `live - x` or `live + x`")
    return given


Bound = Annotated[float | str, AfterValidator(_bound)]


class Criterion(Document):
    """One row of the table."""

    metric: str = Field(description="a measure of the evaluation, such as answers.refunds.correct")
    at_least: Bound | None = Field(default=None, description="of a metric that is better when higher")
    at_most: Bound | None = Field(default=None, description="of a metric that is better when lower")

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give one bound: at_least (higher is better) or at_most (lower is better)")
        return self

    @property
    def higher_is_better(self) -> bool:
        """The direction."""
        return self.at_least is not None

    @property
    def bound(self) -> float | str:
        """As the table has it."""
        found = self.at_least if self.at_least is not None else self.at_most
        assert found is not None
        return found

    @property
    def offset(self) -> float | None:
        """x of ``live + x``; None where the bound is a number."""
        if not isinstance(self.bound, str) or not (found := _RELATIVE.fullmatch(self.bound)):
            return None
        return float((found[1] or "") + (found[2] or "0"))

    def __str__(self) -> str:
        return f"{'at least' if self.higher_is_better else 'at most'} {self.bound}"


@dataclass(frozen=True, slots=True)
class Judged:
    """One row of the verdict; numbers are None where there is none."""

    metric: str
    bound: str
    value: float | None
    live: float | None
    low: float | None
    high: float | None
    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every row of the table, judged."""

    rows: tuple[Judged, ...]

    @property
    def passed(self) -> bool:
        """Whether the candidate may take traffic."""
        return all(row.outcome == "pass" for row in self.rows)

    @property
    def reasons(self) -> list[str]:
        """Why not, a sentence a row."""
        return [f"{row.metric}: {row.why}" for row in self.rows if row.outcome != "pass"]


def judge(
    table: Sequence[Criterion],
    candidate: Mapping[str, Measure],
    live: Mapping[str, Measure] | None,
) -> Verdict:
    """The verdict on what was measured of a candidate, and on the same rows of the live version, if any."""
    return Verdict(tuple(_judged(row, candidate, live) for row in table))


def _judged(row: Criterion, candidate: Mapping[str, Measure], live: Mapping[str, Measure] | None) -> Judged:
    measure, other = candidate.get(row.metric), (live or {}).get(row.metric)
    value, was = (measure.value if measure else None), (other.value if other else None)
    if measure is None or value is None:
        why = "there was no row to measure it on" if measure else _unknown(row.metric, candidate)
        return Judged(row.metric, str(row), None, was, None, None, "fail", why)
    if why := _incomparable(row, measure, other, live):
        return Judged(row.metric, str(row), value, was, None, None, "fail", why)
    share = is_share(row.metric)
    if row.offset is None or other is None or was is None:
        found, shift = of_ratio(measure.rows, SHARE if share else None), 0.0
    else:
        found, shift = of_difference(measure.rows, other.rows, CHANGE if share else None), was
    bound = float(row.bound) if row.offset is None else row.offset
    if found is None:
        why = f"{len(measure.rows)} rows are too few to say anything"
        return Judged(row.metric, str(row), value, was, None, None, "undecided", why)
    outcome, why = _outcome(found, bound, shift, higher=row.higher_is_better)
    low, high = found.low + shift, found.high + shift
    if share:
        low, high = max(low, 0.0), min(high, 1.0)
    return Judged(row.metric, str(row), value, was, low, high, outcome, why)


def _outcome(found: Interval, bound: float, shift: float, *, higher: bool) -> tuple[Outcome, str]:
    """By the interval of what ``bound`` is on; ``shift`` moves both into the metric's unit, for the words."""
    worse, better = (found.low, found.high) if higher else (found.high, found.low)
    sign = 1 if higher else -1
    limit = f"{bound + shift:.4g}"
    if sign * (worse - bound) >= 0:
        return "pass", f"even {worse + shift:.4g}, the interval's worse end, keeps {limit}"
    if sign * (better - bound) < 0:
        return "fail", f"even {better + shift:.4g}, the interval's better end, misses {limit}"
    needed = found.rows_needed(bound)
    rows = f"about {needed:,} would" if needed else "no number of rows would, it is on the bound"
    return "undecided", f"{found.rows:,} rows can't tell on which side of {limit} it is; {rows}"


def _incomparable(
    row: Criterion, measure: Measure, other: Measure | None, live: Mapping[str, Measure] | None
) -> str:
    """Why there is no interval of the number, or of its difference to live's; "" if there is."""
    if measure.value is None or not np.isfinite(measure.value):
        return "is no number"
    if not len(measure.rows):
        return "is not known row by row, so it has no interval"
    if row.offset is None:
        return ""
    if live is None:
        return "no version is live to compare with; give a number"
    if other is None or other.value is None or other.rows.shape != measure.rows.shape:
        return "the live version did not answer the same rows"
    return ""


def _unknown(metric: str, candidate: Mapping[str, Measure]) -> str:
    close = get_close_matches(metric, candidate, n=1)
    known = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(candidate)) or 'none'}"
    return f"was not measured; {known}"
