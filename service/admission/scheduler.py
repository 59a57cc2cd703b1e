"""What goes into the engine and when: events in, decisions out. No clock: every event brings its time.

A slot is free while somebody waits only if nobody who waits may enter: his adapter has no place, or drains.
"""

from __future__ import annotations

from service.admission.places import Places
from service.admission.policy import Policy
from service.admission.shedding import Shedding
from service.admission.ticket import State, Ticket


class Scheduler:
    """The slots of the engine and the queue in front of them.

    Each event returns the tickets that it moved: let in (``RUNNING``) or refused (``SHED``).
    """

    def __init__(self, policy: Policy, *, slots: int, places: int, max_queue: int, max_wait: float) -> None:
        self._policy = policy
        self._slots = slots
        self._places = Places(places)
        self._shedding = Shedding(policy, slots, max_queue, max_wait)
        self.running = 0  # requests in the engine

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._policy.turns)

    @property
    def adapters_running(self) -> int:
        """Different adapters in the engine."""
        return len(self._places.running)

    def arrive(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request came. It is let in, waits, or is shed; it may push out another that would go later."""
        ticket.arrived = now
        if self.running < self._slots and not self.waiting and self._places.fits(ticket.adapter):
            return [self._admit(ticket, now)]
        self._policy.add(ticket)
        moved = self._fill(now)
        if ticket.state is State.WAITING and (refused := self._shedding.refused(ticket, now)):
            refused.retry_after = self._shedding.retry_after(refused, now)
            self._policy.remove(refused, now)
            refused.state = State.SHED
            moved += [refused, *self._fill(now)]  # if an adapter drained for it, it does no more
        return moved

    def finish(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request was answered."""
        self._shedding.answered(now - ticket.admitted)
        return self.leave(ticket, now)

    def leave(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request is out of the engine, or is given up, in the queue or as its turn came."""
        if ticket.state is State.RUNNING:
            self.running -= 1
            self._places.leave(ticket.adapter)
        elif ticket.state is State.WAITING:
            ticket.retry_after = self._shedding.retry_after(ticket, now)
            self._policy.remove(ticket, now)
        else:
            return []
        ticket.state = State.GONE
        return self._fill(now)

    def resize(self, slots: int, places: int, now: float) -> list[Ticket]:
        """The engine has more slots or places from now on, or fewer; who has one keeps it."""
        self._slots, self._places.total = slots, places
        self._shedding.resized(slots, now)
        return self._fill(now)

    def would_refuse(self, ticket: Ticket, now: float) -> float | None:
        """Seconds to retry after, if a request that came now would be shed; None: it would not."""
        if self.running < self._slots:  # who waits lacks a place, and this one may have it
            return None
        since = self._shedding.since
        self._policy.add(ticket)  # as if it had come, and gone
        refused = self._shedding.refused(ticket, now) is ticket
        retry_after = self._shedding.retry_after(ticket, now) if refused else None
        self._policy.remove(ticket, now)
        self._shedding.since = since
        return retry_after

    def _fill(self, now: float) -> list[Ticket]:
        """Let in whom the policy chooses, as long as a slot is free."""
        admitted: list[Ticket] = []
        while self.running < self._slots and (ticket := self._policy.take(now, self._places)):
            admitted.append(self._admit(ticket, now))
        return admitted

    def _admit(self, ticket: Ticket, now: float) -> Ticket:
        ticket.state, ticket.admitted = State.RUNNING, now
        self.running += 1
        self._places.enter(ticket.adapter, now)
        return ticket
