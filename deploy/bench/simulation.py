"""The scheduler in front of a modelled engine, on a virtual clock: the same code that the gateway runs.

Between two events (an arrival, the end of an answer) all steps of the batch take the same time, so the clock
leaps over them; a run of ten thousand requests takes about a second. A seed always gives the same run.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from deploy.bench.engine_model import ANSWER, AT_ONCE, H200, PROMPT, EngineModel
from service.admission.first_come import FirstCome
from service.admission.places import Places
from service.admission.queue import Policy
from service.admission.scheduler import Scheduler
from service.admission.ticket import Priority, State, Ticket

PLACES = 16  # adapters in the engine, and as many stay loaded
FOREVER = 1e9  # seconds


@dataclass(frozen=True)
class Traffic:
    """Who asks for what. ``clients`` ask again as soon as they are answered; else ``rate`` come a second."""

    adapters: int  # 0: all to the base
    requests: int = 4_000
    clients: int = 0
    rate: float = 0.0  # requests/s, Poisson
    zipf: float = 0.0  # popularity of the k-th adapter: 1 / k ** zipf
    in_order: bool = False  # all requests of an adapter after each other, as sorted by hand
    answer: tuple[int, int] = (ANSWER, ANSWER)  # tokens, uniform between the two
    callers: tuple[tuple[str, Priority, float], ...] = (("one", "interactive", 1.0),)  # with their share
    seed: int = 0


@dataclass
class Outcome:
    """What came out. Seconds; ``tickets`` in the order of their arrival."""

    seconds: float = 0.0
    tickets: list[Ticket] = field(default_factory=list)
    finished: dict[Ticket, float] = field(default_factory=dict)
    adapters: float = 0.0  # different ones in the batch, averaged over time
    loads: int = 0
    timed_out: int = 0  # sent away after the longest wait; others that are missing were refused at once

    @property
    def throughput(self) -> float:
        """Answers per second."""
        return len(self.finished) / self.seconds

    def asked(self, callers: str = "") -> list[Ticket]:
        """All of the callers whose names begin so."""
        return [one for one in self.tickets if one.caller.startswith(callers)]

    def served(self, callers: str = "") -> list[Ticket]:
        """Those that were answered."""
        return [one for one in self.asked(callers) if one in self.finished]

    def waits(self, callers: str = "") -> list[float]:
        """Seconds in the queue of each that was answered."""
        return [ticket.admitted - ticket.arrived for ticket in self.served(callers)]

    def refused(self, callers: str) -> tuple[int, int]:
        """How many were sent away at once, and how many after the longest wait."""
        left = [one for one in self.asked(callers) if one not in self.finished]
        at_once = sum(one.state is State.SHED for one in left)
        return at_once, len(left) - at_once

    def late(self) -> list[float]:
        """Seconds after the turn of a strict order, of each that was answered."""
        return [max(0.0, ticket.admitted - ticket.due) for ticket in self.served()]


class PassOver(FirstCome):
    """As vLLM does by itself: in order, passing over those whose adapter finds no place. May starve them."""

    def take(self, now: float, places: Places) -> Ticket | None:
        ticket = next((one for one in self.waiting if places.fits(one.adapter)), None)
        if ticket is not None:
            self.remove(ticket, now)
        return ticket


class Simulation:
    """One run."""

    def __init__(
        self,
        engine: EngineModel,
        scheduler: Scheduler,
        traffic: Traffic,
        *,
        resident: int,
        max_wait: float,
    ) -> None:
        self._max_wait = max_wait  # seconds after which a client is sent away out of the queue
        self._deadlines: deque[tuple[float, Ticket]] = deque()
        self._engine = engine
        self._scheduler = scheduler
        self._traffic = traffic
        self._resident = resident  # adapters that stay loaded
        self._loaded: OrderedDict[str, None] = OrderedDict(
            (f"adapter-{index}", None) for index in range(min(resident, traffic.adapters))
        )
        self._random = np.random.default_rng(traffic.seed)
        weights = 1.0 / np.arange(1, max(traffic.adapters, 1) + 1) ** traffic.zipf
        self._popularity = weights / weights.sum()
        self._now, self._step = 0.0, 0
        self._arrivals: list[tuple[float, int]] = []  # when, number
        self._ends: list[tuple[int, int, Ticket]] = []  # step, number, who
        self._batch: Counter[str | None] = Counter()
        self._new_prompts, self._stall = 0, 0.0
        self._begun, self._admitted = 0, 0
        self._out = Outcome()

    def run(self) -> Outcome:
        """Until every request is answered or refused."""
        self._first_arrivals()
        while self._arrivals or self._ends:
            if not self._ends:
                self._now = max(self._now, self._arrivals[0][0])
            self._take_in()
            self._advance()
        self._out.seconds = self._now
        self._out.adapters /= max(self._now, 1e-9)
        return self._out

    def _first_arrivals(self) -> None:
        traffic = self._traffic
        if traffic.clients:
            self._arrivals = [(0.0, n) for n in range(min(traffic.clients, traffic.requests))]
        else:
            times = np.cumsum(self._random.exponential(1 / traffic.rate, traffic.requests))
            self._arrivals = [(float(time), n) for n, time in enumerate(times)]
        self._begun = len(self._arrivals)

    def _again(self) -> None:
        if self._traffic.clients and self._begun < self._traffic.requests:
            heapq.heappush(self._arrivals, (self._now, self._begun))
            self._begun += 1

    def _take_in(self) -> None:
        while self._arrivals and self._arrivals[0][0] <= self._now:
            when, _ = heapq.heappop(self._arrivals)
            ticket = self._ticket()
            self._out.tickets.append(ticket)
            self._deadlines.append((self._now + self._max_wait, ticket))
            self._moved(self._scheduler.arrive(ticket, max(when, self._now)))
        while self._deadlines and self._deadlines[0][0] <= self._now:
            _, ticket = self._deadlines.popleft()
            if ticket.state is State.WAITING:
                self._out.timed_out += 1
                self._moved(self._scheduler.leave(ticket, self._now))
                self._again()

    def _ticket(self) -> Ticket:
        names, priorities, shares = zip(*self._traffic.callers, strict=True)
        who = int(self._random.choice(len(names), p=np.array(shares) / sum(shares)))
        return Ticket(self._adapter(), names[who], priorities[who])

    def _adapter(self) -> str | None:
        traffic = self._traffic
        if not traffic.adapters:
            return None
        if traffic.in_order:
            return f"adapter-{len(self._out.tickets) * traffic.adapters // traffic.requests}"
        return f"adapter-{self._random.choice(traffic.adapters, p=self._popularity)}"

    def _moved(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            if ticket.state is State.SHED:
                self._again()
                continue
            low, high = self._traffic.answer
            tokens = low if low == high else int(self._random.integers(low, high + 1))
            heapq.heappush(self._ends, (self._step + tokens, self._admitted, ticket))
            self._admitted += 1
            self._batch[ticket.adapter] += 1
            self._new_prompts += PROMPT
            self._load(ticket.adapter)

    def _load(self, adapter: str | None) -> None:
        if adapter is None:
            return
        if adapter not in self._loaded:
            self._out.loads += 1
            self._stall += self._engine.load_stall
            if len(self._loaded) >= self._resident:
                idle = next((name for name in self._loaded if not self._batch[name]), None)
                if idle is not None:
                    del self._loaded[idle]
        self._loaded[adapter] = None
        self._loaded.move_to_end(adapter)

    def _advance(self) -> None:
        """Steps until an answer ends or somebody comes, at least one."""
        if not self._ends:
            return
        adapters = sum(1 for name, count in self._batch.items() if count and name is not None)
        batch = sum(self._batch.values())
        steps, until = 1, self._engine.step(batch, adapters, self._new_prompts) + self._stall
        if not self._new_prompts:
            one = self._engine.step(batch, adapters, 0)
            steps = self._ends[0][0] - self._step
            if self._arrivals:
                steps = max(1, min(steps, int((self._arrivals[0][0] - self._now) / one) + 1))
            until = steps * one
        self._new_prompts, self._stall = 0, 0.0
        self._out.adapters += adapters * until
        self._now += until
        self._step += steps
        while self._ends and self._ends[0][0] <= self._step:
            _, _, ticket = heapq.heappop(self._ends)
            self._batch[ticket.adapter] -= 1
            self._out.finished[ticket] = self._now
            self._again()
            self._moved(self._scheduler.finish(ticket, self._now))


def simulate(
    policy: Policy,
    traffic: Traffic,
    engine: EngineModel = H200,
    *,
    max_wait: float = FOREVER,
    resident: int = PLACES,
) -> Outcome:
    """One run with the measured number of requests at once and an endless queue.

    ``resident`` adapters stay loaded.
    """
    scheduler = Scheduler(policy, slots=AT_ONCE, places=PLACES, max_queue=100_000, max_wait=max_wait)
    return Simulation(engine, scheduler, traffic, resident=resident, max_wait=max_wait).run()
