"""Which server a request goes to, and which servers an adapter lives on. Pure: names and counts in and out.

Rendezvous hashing (Thaler and Ravishankar, 1998): each key has an order of all servers of its own, by a hash
of the two together. Where a server goes only its keys move, and where one comes only those that are its own
now. The key of an adapter is its alias. A request has two keys, of what it begins with, so that what a server
has in its prefix cache is met again: its template, which is all before the first word of the user, lives on
as many servers as it is asked for, one if it is asked for little; of these its conversation has its own.

The load is bounded (Mirrokni, Thorup and Zadimoghaddam, SODA 2018): nobody gets more than ``HEADROOM`` times
his share of what runs, and whoever finds his server full goes to the next, of the template's and then of all
in the template's order. A server that has just come up has a share that grows from ``FIRST_SHARE`` to 1
within ``SLOW_START`` seconds: its caches are empty and its kernels cold. Adapters are bounded alike when they
are given their servers, since a request can only go where its adapter is.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

HEADROOM = 1.25
ADAPTER_HEADROOM = 1.1  # the same for adapters, by the requests that they get
SLOW_START = 30.0  # seconds
FIRST_SHARE = 0.1
_SPREAD = 1.5  # copies of an adapter or a template by the servers' worth of requests that it gets
_WINDOW = 1_000  # requests after which those that came before count half
_FEWEST = 100  # requests that a share is of, at least: the first is not all there is


@dataclass(frozen=True, slots=True)
class Load:
    """What a server has to do: requests under way, and seconds since it came up."""

    calls: int
    age: float

    @property
    def share(self) -> float:
        """Of a full server's load, what this one may get: 0 to 1."""
        return min(1.0, FIRST_SHARE + (1 - FIRST_SHARE) * max(self.age, 0.0) / SLOW_START)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a request begins with, as keys; empty: nothing that others begin with too."""

    template: str = ""
    conversation: str = ""


class Shares:
    """The share of the requests that each key has had lately."""

    def __init__(self) -> None:
        self._counts: dict[str, float] = {}
        self._total = 0.0

    def of(self, key: str) -> float:
        """Count one more of ``key``; its share, 0 to 1."""
        if self._total >= _WINDOW:
            self._counts = {one: count / 2 for one, count in self._counts.items() if count >= 2}
            self._total /= 2
        self._total += 1
        count = self._counts[key] = self._counts.get(key, 0.0) + 1
        return count / max(self._total, _FEWEST)


def order(key: str, servers: Collection[str]) -> list[str]:
    """The servers in the order of ``key``, the same for the same servers in any order."""
    return sorted(servers, key=lambda server: (_score(key, server), server), reverse=True)


def choose(begins: Beginning, loads: Mapping[str, Load], share: float = 1.0) -> str:
    """The server for one more request: the first in its order that is not over its bound.

    ``share`` of all requests have its template.

    Raises:
        ValueError: there is no server.
    """
    if len(loads) == 1:
        return next(iter(loads))
    total = 1 + sum(load.calls for load in loads.values())
    shares = sum(load.share for load in loads.values())
    for server in _line(begins, loads, share):
        load = loads[server]
        if load.calls < math.ceil(HEADROOM * total * load.share / shares):
            return server
    raise ValueError("there is no server to choose")  # all bounds together are over what runs


def _line(begins: Beginning, servers: Collection[str], share: float) -> list[str]:
    """The servers in the order of a request."""
    if not begins.template:
        return order(begins.conversation, servers)
    line = order(begins.template, servers)
    count = copies(share, len(line))
    return [*order(begins.conversation, line[:count]), *line[count:]]


def copies(share: float, servers: int) -> int:
    """On how many of ``servers`` something lives that gets ``share`` (0 to 1) of the requests: at least one.

    Half as many more than would do if each request took the same: what is hot must find a server free.
    """
    return max(1, min(servers, math.ceil(share * servers * _SPREAD - 1e-9)))


def homes(adapters: Sequence[tuple[str, float]], servers: Collection[str]) -> list[list[str]]:
    """The servers that each of ``adapters`` lives on: its alias, and its share of the requests (0 to 1).

    As many as :func:`copies` says, the first in its order that are not over their bound with it; where those
    are too few, the others that have least. Who is early in ``adapters`` is not moved by who is late.
    """
    full = ADAPTER_HEADROOM / max(len(servers), 1)
    asked = dict.fromkeys(servers, 0.0)
    found = []
    for alias, share in adapters:
        line, count = order(alias, servers), copies(share, len(servers))
        each = share / count
        # by what is too much; a stable sort, so those that have room stay in order
        line.sort(key=lambda server: max(0.0, asked[server] + each - full))
        found.append(line[:count])
        for server in found[-1]:
            asked[server] += each
    return found


def _score(key: str, server: str) -> bytes:
    return hashlib.blake2b(f"{server}\0{key}".encode(), digest_size=8).digest()
