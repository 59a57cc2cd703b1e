"""Whether a canary does worse than the live version, from the gateway's counters.

Four shares are compared: of requests that failed by the server's fault, of requests whose client did not
wait for the end, of rated answers that were rated down, and of streams that were slow to begin: slower than
the bound of the histogram under which 95 % of the live version's streams began. A machine that is busy for a
moment makes all streams of that moment slow, so the few of a young canary are no evidence yet.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from training.release.recipe import Canary

_Z = 1.959964  # of 95 %
_REQUESTS, _BROKEN = "pointsman_requests_total", "pointsman_broken_answers_total"
_ABORTED, _RATINGS = "pointsman_aborted_answers_total", "pointsman_ratings_total"
_FIRST_TOKEN = "pointsman_time_to_first_token_seconds_bucket"
_MOST = 0.95  # of the live version's streams
_ENOUGH = 20  # streams of the canary
Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    bad: int = 0
    of: int = 0


@dataclass(slots=True)
class Count:
    """What one version answered, and what came of it."""

    requests: int = 0
    failed: int = 0  # by the server's fault
    aborted: int = 0  # by their clients
    rated: int = 0
    down: int = 0  # of those that were rated
    begun: dict[float, int] = field(default_factory=dict)  # streams whose first token came within so many s

    def since(self, before: Count) -> Count:
        """What came after ``before``; all, where the gateway has counted anew since."""
        left = Count(
            self.requests - before.requests,
            self.failed - before.failed,
            self.aborted - before.aborted,
            self.rated - before.rated,
            self.down - before.down,
            {within: count - before.begun.get(within, 0) for within, count in self.begun.items()},
        )
        counted = (left.requests, left.failed, left.aborted, left.rated, left.down, *left.begun.values())
        return self if min(counted) < 0 else left

    def slow(self, within: float) -> Share:
        """Of the streams that began, those that took longer than a bound of the histogram, seconds."""
        every = self.begun.get(math.inf, 0)
        return Share(every - self.begun.get(within, every), every)

    @property
    def usual(self) -> float:
        """The least bound within which 95 % of the streams began, seconds; infinite where none is known."""
        every = self.begun.get(math.inf, 0)
        bounds = (within for within, count in sorted(self.begun.items()) if count >= _MOST * every)
        return next(bounds, math.inf) if every else math.inf


def counts(exposition: str) -> Mapping[str, Count]:
    """The gateway's ``/metrics`` by adapter version; 5xx and answers that broke off have failed."""
    found: defaultdict[str, Count] = defaultdict(Count)
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            if "adapter" not in sample.labels:
                continue
            count, number = found[sample.labels["adapter"]], int(sample.value)
            if sample.name == _REQUESTS:
                count.requests += number
                count.failed += number * sample.labels["status"].startswith("5")
            elif sample.name == _BROKEN:
                count.failed += number
            elif sample.name == _ABORTED:
                count.aborted += number
            elif sample.name == _RATINGS:
                count.rated += number
                count.down += number * (sample.labels["thumbs"] == "down")
            elif sample.name == _FIRST_TOKEN:
                within = float(sample.labels["le"])
                count.begun[within] = count.begun.get(within, 0) + number
    return found


def tripped(canary: Count, live: Count, allowed: Canary) -> str:
    """Why the canary must go: a share that surely lies too far over live's; "" if none does."""
    usual = live.usual
    slow = canary.slow(usual)
    for ours, theirs, most, what in (
        (
            Share(canary.failed, canary.requests),
            Share(live.failed, live.requests),
            allowed.error_rate,
            "requests of the canary failed",
        ),
        (
            Share(canary.aborted, canary.requests),
            Share(live.aborted, live.requests),
            allowed.abort_rate,
            "requests of the canary were given up by their clients",
        ),
        (
            Share(canary.down, canary.rated),
            Share(live.down, live.rated),
            allowed.down_rate,
            "rated answers of the canary were rated down",
        ),
        (
            slow if slow.of >= _ENOUGH else Share(),
            live.slow(usual),
            allowed.slow_rate,
            f"streams of the canary took more than {usual:g} s to their first token",
        ),
    ):
        low, _ = difference(ours, theirs) if theirs.of else wilson(ours)
        if low > most:
            return (
                f"{ours.bad} of {ours.of} {what}, {theirs.bad} of {theirs.of} of the live version: "
                f"{100 * low:.1f} % more at least, {100 * most:.1f} % are allowed"
            )
    return ""


def wilson(found: Share) -> Ends:
    """Wilson's 95 % interval of a share."""
    n, z = found.of, _Z
    if not n:
        return 0.0, 1.0
    share = found.bad / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(one: Share, other: Share) -> Ends:
    """Newcombe's 95 % interval of the difference of two shares (Stat. Med. 17, 1998, method 10)."""
    (low, high), (other_low, other_high) = wilson(one), wilson(other)
    first, second = one.bad / max(1, one.of), other.bad / max(1, other.of)
    apart = first - second
    return (
        apart - math.hypot(first - low, other_high - second),
        apart + math.hypot(high - first, second - other_low),
    )
