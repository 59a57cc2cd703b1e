"""What the gateway itself adds to the first token and between tokens: in front of the very engine it asks.

Clients in lock step send all their prompts at once, and which of them share a prefill decides more than a
gateway does. So requests come at random times, and so few that the engine hardly ever has a queue.
"""

from __future__ import annotations

from dataclasses import replace

from deploy.bench.beside.asking import Ends, Row, milliseconds
from deploy.bench.serving.load import Pace

_SHARE = 0.25  # of what is served at most
_LENGTH = 2  # open loops' lengths of one round: the 99th percentile is of few requests


def added(ends: Ends, behind: str, model: str, plain: str, capacity: float) -> list[Row]:
    """To requests for ``model``, which the engine at ``behind`` calls ``plain``."""
    rate = _SHARE * capacity
    requests = max(20, int(rate * _LENGTH * ends.sizes.seconds))
    pair = replace(ends, engine=behind).pair([model], Pace(rate=rate), requests=requests, plain=[plain])
    ours, direct = pair.ours.times, pair.plain.times
    if not (ours.first_token and direct.first_token and ours.per_token and direct.per_token):
        raise RuntimeError("one of the two answered nothing")
    late = [ours.first_token.p50 - direct.first_token.p50, ours.first_token.p99 - direct.first_token.p99]
    between = [one.p50 for one in (direct.per_token, ours.per_token)]
    name = f"{model}, open loop, {rate:.0f} requests/s, the same engine"
    return [
        Row(
            f"{name}: first token, p50 / p99",
            "3 / 10 ms added",
            milliseconds(direct.first_token),
            milliseconds(ours.first_token),
            f"{late[0]:+.1f} / {late[1]:+.1f} ms",
            pair.numbers(),
        ),
        Row(
            "the same: time between tokens, p50",
            "2 % more",
            f"{between[0]:.2f} ms",
            f"{between[1]:.2f} ms",
            f"{between[1] / between[0] - 1:+.1%}",
            {},
        ),
    ]
