"""Sums up the rounds of one or two endpoints: as numbers, as JSON and as the rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deploy.bench.serving.load import Run
from deploy.bench.serving.result import Result


@dataclass(frozen=True)
class Spread:
    """Percentiles in milliseconds."""

    p50: float
    p90: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Spread | None:
        """None where there is nothing to sum up."""
        values = np.fromiter(seconds, float)
        if not values.size:
            return None
        return cls(*(round(float(value) * 1_000, 3) for value in np.percentile(values, [50, 90, 99])))


@dataclass(frozen=True)
class Times:
    """What a user notices, of the requests that were answered."""

    answered: int
    first_token: Spread | None  # streamed requests only, as the next two
    per_token: Spread | None  # a request's time after its first token, by token
    gaps: Spread | None  # between pieces as they arrive
    end_to_end: Spread | None

    @classmethod
    def of(cls, results: Sequence[Result]) -> Times:
        """Of the results without an error."""
        good = [result for result in results if result.error is None]
        return cls(
            answered=len(good),
            first_token=Spread.of(result.first for result in good if result.first is not None),
            per_token=Spread.of(result.per_token for result in good if result.per_token is not None),
            gaps=Spread.of(gap for result in good for gap in result.gaps),
            end_to_end=Spread.of(result.seconds for result in good),
        )


@dataclass(frozen=True)
class Summary:
    """One endpoint over all its rounds."""

    name: str
    requests: int
    errors: dict[str, int]
    throughput: float  # answered requests/s; the mean of the rounds
    tokens: float  # answered tokens/s
    by_round: list[float]  # throughput
    lag_ms: float  # of the generator itself in an open loop, the worst round's 99th percentile
    times: Times
    by_model: dict[str, Times]

    @classmethod
    def of(cls, name: str, runs: Sequence[Run]) -> Summary:
        """Of at least one round."""
        results = [result for run in runs for result in run.results]
        good = [[result for result in run.results if result.error is None] for run in runs]
        seconds = [run.seconds for run in runs]
        rates = [len(one) / took for one, took in zip(good, seconds, strict=True)]
        models = sorted({result.model for result in results})
        return cls(
            name=name,
            requests=len(results),
            errors=dict(Counter(result.error for result in results if result.error is not None)),
            throughput=round(float(np.mean(rates)), 3),
            tokens=round(sum(result.tokens for one in good for result in one) / sum(seconds), 1),
            by_round=[round(rate, 3) for rate in rates],
            lag_ms=round(max(run.lag for run in runs) * 1_000, 3),
            times=Times.of(results),
            by_model={model: Times.of([one for one in results if one.model == model]) for model in models},
        )


@dataclass(frozen=True)
class Ratio:
    """The first endpoint's throughput in units of the second's, round by round."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, first: Summary, second: Summary) -> Ratio | None:
        """None where the second answered nothing in some round."""
        if not all(second.by_round):
            return None
        found = [a / b for a, b in zip(first.by_round, second.by_round, strict=True)]
        return cls(*(round(float(value), 4) for value in (np.median(found), min(found), max(found))))


def as_json(described: dict[str, Any], summaries: Sequence[Summary]) -> dict[str, Any]:
    """Everything, for a file."""
    ratio = Ratio.of(*summaries) if len(summaries) == 2 else None
    return {
        "traffic": described,
        "endpoints": [asdict(summary) for summary in summaries],
        "throughput_ratio": None if ratio is None else asdict(ratio),
    }


def rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The table: a name, then a cell for each endpoint."""
    found = [
        ["requests/s", *(f"{one.throughput:.2f}" for one in summaries)],
        ["  by round", *(_range(one.by_round) for one in summaries)],
        ["tokens/s", *(f"{one.tokens:.0f}" for one in summaries)],
        ["errors", *(_errors(one) for one in summaries)],
    ]
    for label, name in (
        ("first token, ms", "first_token"),
        ("per token, ms", "per_token"),
        ("gap between pieces, ms", "gaps"),
        ("end to end, ms", "end_to_end"),
    ):
        found.append([label, *(_spread(getattr(one.times, name)) for one in summaries)])
    return found


def model_rows(summaries: Sequence[Summary]) -> list[list[str]]:
    """The table by model: a name, then for each endpoint how many, first token and end to end."""
    return [
        [model, *(cell for one in summaries for cell in _model_cells(one.by_model.get(model)))]
        for model in sorted({model for one in summaries for model in one.by_model})
    ]


def _model_cells(times: Times | None) -> list[str]:
    if times is None:
        return ["0", "-", "-"]
    return [str(times.answered), _spread(times.first_token), _spread(times.end_to_end)]


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def _errors(summary: Summary) -> str:
    listed = ", ".join(f"{count} {what}" for what, count in sorted(summary.errors.items()))
    return f"{sum(summary.errors.values())} of {summary.requests}" + (f" ({listed})" if listed else "")


def _spread(spread: Spread | None) -> str:
    return "-" if spread is None else f"{spread.p50:.1f} / {spread.p90:.1f} / {spread.p99:.1f}"
