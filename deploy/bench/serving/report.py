"""Sums up the rounds of an endpoint: times, errors, by model and by outcome, over all rounds and in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from deploy.bench.serving.load import Run
from deploy.bench.serving.result import Result

OK = "HTTP 200"  # the outcome of who was answered


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
    """What a user notices, of the requests that were answered, and how many were not."""

    answered: int
    first_token: Spread | None  # streamed requests only, as the next two
    per_token: Spread | None  # a request's time after its first token, by token
    gaps: Spread | None  # between pieces as they arrive
    end_to_end: Spread | None
    errors: dict[str, int]  # how often each came

    @classmethod
    def of(cls, results: Sequence[Result]) -> Times:
        """Of the results; the times are of those without an error."""
        good = [result for result in results if result.error is None]
        return cls(
            answered=len(good),
            first_token=Spread.of(result.first for result in good if result.first is not None),
            per_token=Spread.of(result.per_token for result in good if result.per_token is not None),
            gaps=Spread.of(gap for result in good for gap in result.gaps),
            end_to_end=Spread.of(result.seconds for result in good),
            errors=dict(Counter(result.error for result in results if result.error is not None)),
        )


@dataclass(frozen=True)
class Outcome:
    """Requests that ended alike, such as all that got a 429, and after how long they did."""

    count: int
    end_to_end: Spread | None
    message: str = ""  # what the server said to the first of them, cut


@dataclass(frozen=True)
class Summary:
    """One endpoint over all its rounds."""

    name: str
    requests: int
    errors: dict[str, int]
    throughput: float  # answered requests/s; the mean of the rounds
    tokens: float  # answered tokens/s; the mean of the rounds
    by_pieces: int  # streamed answers whose tokens the server did not count: their pieces are
    uncounted: int  # whole answers of which it did not: they count no token
    by_round: list[float]  # throughput
    lag_ms: float  # of the generator itself in an open loop, the worst round's 99th percentile
    times: Times
    times_by_round: list[Times]
    by_model: dict[str, Times]
    by_key: dict[str, Times]  # by caller: ``key 1`` is the first, the most active
    by_outcome: dict[str, Outcome]  # HTTP's status, or what went wrong

    @classmethod
    def of(cls, name: str, runs: Sequence[Run]) -> Summary:
        """Of at least one round."""
        results = [result for run in runs for result in run.results]
        seconds = [run.seconds for run in runs]
        times, by_round = Times.of(results), [Times.of(run.results) for run in runs]
        rates = [one.answered / took for one, took in zip(by_round, seconds, strict=True)]
        unsaid = [one for one in results if one.error is None and not one.counted]
        tokens = [sum(result.tokens for result in run.results if result.error is None) for run in runs]
        return cls(
            name=name,
            requests=len(results),
            errors=times.errors,
            throughput=round(float(np.mean(rates)), 3),
            tokens=round(
                float(np.mean([count / took for count, took in zip(tokens, seconds, strict=True)])), 1
            ),
            by_pieces=sum(one.first is not None for one in unsaid),
            uncounted=sum(one.first is None for one in unsaid),
            by_round=[round(rate, 3) for rate in rates],
            lag_ms=round(max(run.lag for run in runs) * 1_000, 3),
            times=times,
            times_by_round=by_round,
            by_model=_by(sorted(results, key=lambda one: one.model), lambda one: one.model),
            by_key=_by(sorted(results, key=lambda one: one.caller), lambda one: f"key {one.caller + 1}"),
            by_outcome=_by_outcome(results),
        )


def _by(results: Iterable[Result], kind: Callable[[Result], str]) -> dict[str, Times]:
    """The times of each kind, in the order in which the kinds come."""
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(kind(result), []).append(result)
    return {name: Times.of(alike) for name, alike in found.items()}


def _by_outcome(results: Sequence[Result]) -> dict[str, Outcome]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.error or OK, []).append(result)
    return {
        name: Outcome(
            count=len(alike),
            end_to_end=Spread.of(result.seconds for result in alike),
            message=next((result.message for result in alike if result.message), ""),
        )
        for name, alike in sorted(found.items())
    }
