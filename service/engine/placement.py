"""Which server a request goes to, and which servers an adapter lives on. Pure: names and counts in and out.

Rendezvous hashing (Thaler and Ravishankar, 1998): each key has an order of all servers of its own, by a hash
of the two together. Where a server goes only its keys move, and where one comes only those that are its own
now. The key of a request is its model and the beginning of its conversation, so that what a server has in its
prefix cache is met again; the key of an adapter is its alias.

The load is bounded (Mirrokni, Thorup and Zadimoghaddam, SODA 2018): nobody gets more than ``HEADROOM`` times
his share of what runs, and whoever finds his first server full goes to his next. A server that has just come
up has a share that grows from ``FIRST_SHARE`` to 1 within ``SLOW_START`` seconds: its caches are empty and
its kernels cold.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

HEADROOM = 1.25
SLOW_START = 30.0  # seconds
FIRST_SHARE = 0.1
_SPREAD = 1.5  # copies of an adapter by the servers' worth of requests that it gets


@dataclass(frozen=True, slots=True)
class Load:
    """What a server has to do: requests under way, and seconds since it came up."""

    calls: int
    age: float

    @property
    def share(self) -> float:
        """Of a full server's load, what this one may get: 0 to 1."""
        return min(1.0, FIRST_SHARE + (1 - FIRST_SHARE) * max(self.age, 0.0) / SLOW_START)


def order(key: str, servers: Collection[str]) -> list[str]:
    """The servers in the order of ``key``, the same for the same servers in any order."""
    return sorted(servers, key=lambda server: (_score(key, server), server), reverse=True)


def choose(key: str, loads: Mapping[str, Load]) -> str:
    """The server for one more request with ``key``: the first in its order that is not over its bound.

    Raises:
        ValueError: there is no server.
    """
    if len(loads) == 1:
        return next(iter(loads))
    total = 1 + sum(load.calls for load in loads.values())
    shares = sum(load.share for load in loads.values())
    for server in order(key, loads):
        load = loads[server]
        if load.calls < math.ceil(HEADROOM * total * load.share / shares):
            return server
    raise ValueError("there is no server to choose")  # all bounds together are over what runs


def copies(share: float, servers: int) -> int:
    """On how many of ``servers`` an adapter lives that gets ``share`` (0 to 1) of the requests: at least one.

    Half as many more than would do if each request took the same: what is hot must find a server free.
    """
    return max(1, min(servers, math.ceil(share * servers * _SPREAD - 1e-9)))


def homes(alias: str, servers: Sequence[str], share: float) -> list[str]:
    """The servers that an adapter lives on; fewer requests take servers away from the end."""
    return order(alias, servers)[: copies(share, len(servers))]


def _score(key: str, server: str) -> bytes:
    return hashlib.blake2b(f"{server}\0{key}".encode(), digest_size=8).digest()
