"""A scheduler on a virtual clock, from which those who have waited for too long are sent away."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from random import Random

from service.admission.queue import Policy
from service.admission.scheduler import Scheduler
from service.admission.ticket import Priority, State, Ticket

SLOTS, ANSWER, LONGEST, EXTRA = 4, 1.0, 20.0, 2.0  # requests at once; seconds


class Clock:
    """A scheduler on a virtual clock; who waited for ``LONGEST`` is sent away, as the gate does."""

    def __init__(
        self, policy: Policy, *, slots: int = SLOTS, places: int = 100, wait: float = LONGEST
    ) -> None:
        self.scheduler = Scheduler(policy, slots=slots, places=places, max_queue=10_000, max_wait=wait)
        self.slots, self.places, self.wait, self.now = slots, places, wait, 0.0
        self.ends: list[tuple[float, int, Ticket, str]] = []
        self.pushed = 0
        self.holds: dict[Ticket, float] = {}
        self.tickets: list[Ticket] = []
        self.answered: list[Ticket] = []
        self.timed_out: list[Ticket] = []

    def arrive(self, ticket: Ticket, hold: float) -> None:
        self.tickets.append(ticket)
        self.holds[ticket] = hold
        self.push(self.now + self.wait, ticket, "gives up")
        self.seen(self.scheduler.arrive(ticket, self.now))

    def resize(self, slots: int, places: int = 100) -> None:
        self.slots, self.places = slots, places
        self.seen(self.scheduler.resize(slots, places, self.now))

    def until(self, when: float) -> None:
        while self.ends and self.ends[0][0] <= when:
            self.now, _, ticket, what = heapq.heappop(self.ends)
            if what == "ends":
                self.answered.append(ticket)
                self.seen(self.scheduler.finish(ticket, self.now))
            elif ticket.state is State.WAITING:
                self.timed_out.append(ticket)
                self.seen(self.scheduler.leave(ticket, self.now))
        self.now = when

    def push(self, when: float, ticket: Ticket, what: str) -> None:
        self.pushed += 1
        heapq.heappush(self.ends, (when, self.pushed, ticket, what))

    def seen(self, moved: Sequence[Ticket]) -> None:
        for ticket in moved:
            if ticket.state is State.RUNNING:
                self.push(self.now + self.holds[ticket], ticket, "ends")
            else:
                places = self.scheduler.places
                assert self.scheduler.running >= self.slots or len(places.running) >= self.places
                assert ticket.retry_after >= 1

    def refused(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets if ticket.state is State.SHED]


def play(
    policy: Policy,
    seed: int,
    load: float,
    people: float,
    *,
    seconds: float = 90.0,
    callers: int = 1,
    asking: bool = False,
) -> Clock:
    """``load`` times what the slots can serve comes at random, a share ``people`` of it interactive."""
    chance, clock = Random(seed), Clock(policy)
    while clock.now < seconds:
        clock.until(clock.now + chance.expovariate(load * SLOTS / ANSWER))
        priority: Priority = "interactive" if chance.random() < people else "batch"
        ticket = Ticket(f"a{chance.randrange(8)}", f"{priority} {chance.randrange(callers)}", priority)
        if asking:
            clock.scheduler.would_refuse(Ticket(None, ticket.caller, "batch"), clock.now)
            clock.scheduler.would_refuse(Ticket(None, ticket.caller), clock.now)
        clock.arrive(ticket, ANSWER * chance.uniform(0.5, 1.5))
    return clock
