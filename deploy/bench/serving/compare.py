"""One endpoint beside another, round by round, as what else the machine does falls on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.bench.serving.report import Spread, Summary

_MEASURES = (  # of Times, and the percentile
    ("first token, p50", "first_token", "p50"),
    ("first token, p99", "first_token", "p99"),
    ("per token, p50", "per_token", "p50"),
    ("end to end, p50", "end_to_end", "p50"),
    ("end to end, p99", "end_to_end", "p99"),
)


@dataclass(frozen=True)
class Over:
    """A number of each round, over the rounds."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Over:
        """Of at least one round."""
        return cls(*(round(float(value), 4) for value in (np.median(values), min(values), max(values))))


@dataclass(frozen=True)
class Measure:
    """What the first endpoint has of one thing, by what the second has."""

    name: str
    ratio: Over
    more_ms: Over | None  # of a time: by how much it is longer


def throughput(first: Summary, second: Summary) -> Over | None:
    """The first's answered requests/s in units of the second's; None if that answered nothing in a round."""
    if not all(second.by_round):
        return None
    return Over.of([a / b for a, b in zip(first.by_round, second.by_round, strict=True)])


def measures(first: Summary, second: Summary) -> list[Measure]:
    """All that both have in every round."""
    ratio = throughput(first, second)
    found = [] if ratio is None else [Measure("requests/s", ratio, None)]
    for name, kind, percentile in _MEASURES:
        pairs = []
        for ours, theirs in zip(first.times_by_round, second.times_by_round, strict=True):
            spreads: tuple[Spread | None, Spread | None] = getattr(ours, kind), getattr(theirs, kind)
            if spreads[0] is not None and spreads[1] is not None:
                pairs.append((getattr(spreads[0], percentile), getattr(spreads[1], percentile)))
        if len(pairs) == len(first.times_by_round) and all(b for _, b in pairs):
            more = Over.of([a - b for a, b in pairs])
            found.append(Measure(name, Over.of([a / b for a, b in pairs]), more))
    return found
