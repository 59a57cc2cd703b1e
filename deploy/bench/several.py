"""Several servers behind one scheduler, which counts places by their sum: ``python -m deploy.bench.several``.

A request is let in by the gateway's own scheduler and goes to a server that its adapter lives on. That has
slots and places of its own: who finds none waits in the engine, where the scheduler does not see it, and is
passed over, as in vLLM. Nothing is loaded nor moved, and shares are known. A seed always gives the same run.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from deploy.bench.engine_model import AT_ONCE, H200, PROMPT
from deploy.bench.simulation import PLACES
from service.admission.affinity import Affinity
from service.admission.scheduler import Scheduler
from service.admission.ticket import Ticket
from service.engine.placement import Beginning, Load, choose, copies, homes, order

SERVERS, CLIENTS = 4, 128  # clients by server
ANSWERS = (32, 224)  # tokens
SEEDS = (7, 4242)
TRAFFIC = {
    "40 alike": (40, 0.0),
    "64 by Zipf": (64, 1.0),
    "128 by Zipf": (128, 1.0),
    "256 by Zipf": (256, 1.0),
}

Placing = Callable[[Sequence[tuple[str, float]], Sequence[str]], list[list[str]]]


class Server:
    """A modelled engine with slots and places of its own."""

    def __init__(self) -> None:
        self.calls = 0  # let in, and not answered
        self.begun: dict[Ticket, float] = {}  # when each got a slot here
        self._waiting: deque[tuple[Ticket, int]] = deque()  # with its tokens
        self._batch: Counter[str | None] = Counter()
        self._ends: list[tuple[float, int, Ticket]] = []  # at which step
        self._at, self._step, self._prompts = 0.0, 0.0, 0.0
        self._numbers = itertools.count()

    @property
    def end(self) -> float:
        """When the next answer ends."""
        steps = max(0.0, self._ends[0][0] - self._step) if self._ends else math.inf
        return self._at + self._prompts + steps * self._seconds()

    def advance(self, now: float) -> None:
        """Step until ``now``, at which nothing ends or later."""
        gone = now - self._at
        prompts = min(self._prompts, gone)
        self._at, self._prompts = now, self._prompts - prompts
        self._step += (gone - prompts) / self._seconds()

    def take(self, ticket: Ticket, tokens: int) -> None:
        """A request is sent here."""
        self.calls += 1
        self._waiting.append((ticket, tokens))
        self._fill()

    def finish(self) -> Ticket:
        """The answer that ends now."""
        _, _, ticket = heapq.heappop(self._ends)
        self.calls -= 1
        self._batch -= Counter([ticket.adapter])
        self._fill()
        return ticket

    def _fill(self) -> None:
        for _ in range(len(self._waiting)):
            ticket, tokens = self._waiting.popleft()
            has_place = ticket.adapter in self._batch or len(self._batch) < PLACES
            if len(self._ends) < AT_ONCE and has_place:
                self._batch[ticket.adapter] += 1
                heapq.heappush(self._ends, (self._step + tokens, next(self._numbers), ticket))
                self._prompts += PROMPT * H200.by_prompt_token
                self.begun[ticket] = self._at
            else:
                self._waiting.append((ticket, tokens))

    def _seconds(self) -> float:
        return H200.step(max(1, len(self._ends)), len(self._batch), 0)


@dataclass
class Outcome:
    """What came out."""

    throughput: float  # requests/s
    waits: list[float] = field(default_factory=list)  # seconds from arrival to a slot of a server
    inside: list[float] = field(default_factory=list)  # of that in the engine


def by_name(adapters: Sequence[tuple[str, float]], servers: Sequence[str]) -> list[list[str]]:
    """Each on the first in its order, whoever is there."""
    return [order(alias, servers)[: copies(share, len(servers))] for alias, share in adapters]


def run(
    placing: Placing, adapters: int, zipf: float, *, servers: int = SERVERS, requests: int = 8_000, seed: int
) -> Outcome:
    """A closed loop of ``CLIENTS`` by server over ``adapters``, whose k-th has a share of 1 / k ** zipf."""
    chance = random.Random(seed)
    shares = 1.0 / np.arange(1, adapters + 1) ** zipf
    known = sorted((f"adapter-{index}", float(share)) for index, share in enumerate(shares / shares.sum()))
    engines = {f"http://engine-{index}:8000": Server() for index in range(servers)}
    lives = dict(zip((alias for alias, _ in known), placing(known, list(engines)), strict=True))
    scheduler = Scheduler(
        Affinity(2.0), slots=servers * AT_ONCE, places=servers * PLACES, max_queue=10**6, max_wait=1e9
    )
    drawn = iter(chance.choices(*zip(*known, strict=True), k=requests))
    now, tickets = 0.0, list[Ticket]()

    def let_in(moved: Sequence[Ticket]) -> None:
        for ticket in moved:
            loads = {url: Load(engines[url].calls, age=60) for url in lives[str(ticket.adapter)]}
            taken = choose(Beginning(conversation=str(chance.random())), loads)
            engines[taken].take(ticket, chance.randint(*ANSWERS))

    def ask() -> None:
        if (alias := next(drawn, None)) is not None:
            tickets.append(Ticket(alias))
            let_in(scheduler.arrive(tickets[-1], now))

    for _ in range(CLIENTS * servers):
        ask()
    while (first := min(engines.values(), key=lambda engine: engine.end)).end < math.inf:
        now = first.end
        for engine in engines.values():
            engine.advance(now)
        ended = first.finish()
        ask()
        let_in(scheduler.finish(ended, now))
    begun = {ticket: at for engine in engines.values() for ticket, at in engine.begun.items()}
    return Outcome(
        requests / now,
        [begun[ticket] - ticket.arrived for ticket in tickets],
        [begun[ticket] - ticket.admitted for ticket in tickets],
    )


def main() -> None:
    """Print the table of docs/engine.md."""
    print("| | " + " | ".join(TRAFFIC) + " |")
    print("| --- " * (len(TRAFFIC) + 1) + "|")
    ways: Mapping[str, Placing] = {"by their names alone": by_name, "bounded": homes}
    for name, placing in ways.items():
        print(
            _row(
                name, [[run(placing, *traffic, seed=seed) for seed in SEEDS] for traffic in TRAFFIC.values()]
            )
        )
    alone = [
        [run(by_name, adapters // SERVERS, zipf, servers=1, requests=2_000, seed=seed) for seed in SEEDS]
        for adapters, zipf in TRAFFIC.values()
    ]
    print(_row(f"{SERVERS} gateways, each with one server and its part", alone, SERVERS))


def _row(name: str, found: Sequence[Sequence[Outcome]], times: int = 1) -> str:
    cells = []
    for outcomes in found:
        rate = times * np.mean([one.throughput for one in outcomes])
        waits = np.mean([np.percentile(one.waits, 99) for one in outcomes])
        inside = np.mean([np.percentile(one.inside, 99) for one in outcomes])
        cells.append(f"{rate:.0f}, {waits:.1f} / {inside:.1f}")
    return "| " + " | ".join([name, *cells]) + " |"


if __name__ == "__main__":
    main()
