"""Whether a canary fails more requests than the live version does, from the gateway's counters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

_Z = 1.959964  # of 95 %
_REQUESTS, _BROKEN = "pointsman_requests_total", "pointsman_broken_answers_total"
_SECONDS = "pointsman_request_seconds_sum"
Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Count:
    """Requests that one version answered, and how many of them failed by the server's fault."""

    requests: int = 0
    failed: int = 0
    seconds: float = 0.0  # that they took together

    def since(self, before: Count) -> Count:
        """What came after ``before``; all, where the gateway has counted anew since."""
        if self.requests < before.requests or self.failed < before.failed:
            return self
        return Count(
            self.requests - before.requests, self.failed - before.failed, self.seconds - before.seconds
        )


def counts(exposition: str) -> Mapping[str, Count]:
    """The gateway's ``/metrics`` by adapter version; 5xx and answers that broke off have failed."""
    requests: dict[str, int] = {}
    failed: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            name, number = sample.labels.get("adapter", "-"), int(sample.value)
            if sample.name == _REQUESTS:
                requests[name] = requests.get(name, 0) + number
                if sample.labels["status"].startswith("5"):
                    failed[name] = failed.get(name, 0) + number
            elif sample.name == _BROKEN:
                failed[name] = failed.get(name, 0) + number
            elif sample.name == _SECONDS:
                seconds[name] = seconds.get(name, 0.0) + sample.value
    return {
        name: Count(number, failed.get(name, 0), seconds.get(name, 0.0)) for name, number in requests.items()
    }


def tripped(canary: Count, live: Count, allowed: float) -> str:
    """Why the canary must go: its failures surely lie more than ``allowed`` over live's; "" if they don't."""
    low, _ = difference(canary, live) if live.requests else wilson(canary)
    if low <= allowed:
        return ""
    return (
        f"{canary.failed} of {canary.requests} requests of the canary failed, {live.failed} of "
        f"{live.requests} of the live version: {100 * low:.1f} % more at least, "
        f"{100 * allowed:.1f} % are allowed"
    )


def wilson(count: Count) -> Ends:
    """Wilson's 95 % interval of the share that failed."""
    n, z = count.requests, _Z
    if not n:
        return 0.0, 1.0
    share = count.failed / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def difference(one: Count, other: Count) -> Ends:
    """Newcombe's 95 % interval of the difference of two shares (Stat. Med. 17, 1998, method 10)."""
    (low, high), (other_low, other_high) = wilson(one), wilson(other)
    first, second = one.failed / max(1, one.requests), other.failed / max(1, other.requests)
    apart = first - second
    return (
        apart - math.hypot(first - low, other_high - second),
        apart + math.hypot(high - first, second - other_low),
    )
