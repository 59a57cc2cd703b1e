"""Which server a request goes to, and what its prefix cache then has: ``python -m deploy.bench.placing``.

Four servers, 64 requests at once, conversations of one to eight turns of which 200 go on at any time. Each
begins with a template of 3,000 tokens, as tools are long; a turn adds 200. A server keeps the last 150,000
tokens that it read. A seed always gives the same run.
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.engine.placement import Beginning, Load, Shares, choose

SERVERS = tuple(f"http://engine-{index}:8000" for index in range(4))
TEMPLATE, TURN, CACHE = 3_000, 200, 150_000  # tokens
AT_ONCE, TALKS, REQUESTS = 64, 200, 12_000
SEEDS = (7, 4242)

Way = Callable[[str, str], tuple[Beginning, float]]  # template and conversation to keys and a share


@dataclass
class Talk:
    """A conversation that goes on."""

    name: str
    template: str
    left: int  # turns
    said: int = 0  # tokens after the template


class Cache:
    """The prefixes that a server read last."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, int] = OrderedDict()

    def read(self, talk: Talk) -> int:
        """Read the next turn of ``talk``; how many of its tokens were there."""
        known = self._tokens.get(talk.template, 0)
        found = known + (self._tokens.get(talk.name, 0) if known else 0)
        for key, tokens in ((talk.template, TEMPLATE), (talk.name, talk.said + TURN)):
            self._tokens[key] = tokens
            self._tokens.move_to_end(key)
        while sum(self._tokens.values()) > CACHE:
            self._tokens.popitem(last=False)
        return found


def run(way: Way, popularity: Sequence[float], seed: int) -> tuple[float, float]:
    """The share of the prompts' tokens that were in a cache, and the most that a server had by the mean.

    ``popularity``: of each template; none: every conversation has one of its own.
    """
    chance = random.Random(seed)
    begun = 0

    def talk() -> Talk:
        nonlocal begun
        begun += 1
        name = f"talk {begun}"
        template = name + " alone"
        if popularity:
            template = f"template {chance.choices(range(len(popularity)), popularity)[0]}"
        return Talk(name, template, chance.randint(1, 8))

    caches = {server: Cache() for server in SERVERS}
    calls: Counter[str] = Counter(dict.fromkeys(SERVERS, 0))
    under_way: list[tuple[str, Talk]] = []
    free = [talk() for _ in range(TALKS)]
    found = asked = 0
    busiest: list[float] = []
    for _ in range(REQUESTS):
        if len(under_way) == AT_ONCE:
            server, ended = under_way.pop(chance.randrange(AT_ONCE))
            calls[server] -= 1
            free.append(ended if ended.left else talk())
        one = free.pop(chance.randrange(len(free)))
        begins, share = way(one.template, one.name)
        server = choose(begins, {name: Load(count, age=60) for name, count in calls.items()}, share)
        found += caches[server].read(one)
        asked += TEMPLATE + one.said + TURN
        one.said += TURN
        one.left -= 1
        calls[server] += 1
        under_way.append((server, one))
        busiest.append(max(calls.values()) * len(SERVERS) / sum(calls.values()))
    return found / asked, float(np.mean(busiest[AT_ONCE:]))


def ways() -> Mapping[str, Way]:
    """What a request is known by."""
    shares = Shares()
    count = iter(range(10**9))
    return {
        "nothing": lambda template, talk: (Beginning(conversation=str(next(count))), 1.0),
        "its conversation": lambda template, talk: (Beginning(conversation=talk), 1.0),
        "its template": lambda template, talk: (Beginning(conversation=template), 1.0),
        "both": lambda template, talk: (Beginning(template, talk), shares.of(template)),
    }


def main() -> None:
    """Print the table of docs/engine.md."""
    traffic: dict[str, Sequence[float]] = {
        "one template": [1.0],
        "32, one has 70 %": [0.7] + [0.3 / 31] * 31,
        "32 by Zipf": [1 / rank for rank in range(1, 33)],
        "200 alike": [1.0] * 200,
        "each its own": [],
    }
    print("| known by | " + " | ".join(traffic) + " |")
    print("| --- " * (len(traffic) + 1) + "|")
    for name in ways():
        cells = []
        for popularity in traffic.values():
            hits, most = np.mean([run(ways()[name], popularity, seed) for seed in SEEDS], axis=0)
            cells.append(f"{hits:.0%}, {most:.2f}")
        print("| " + " | ".join([name, *cells]) + " |", flush=True)


if __name__ == "__main__":
    main()
