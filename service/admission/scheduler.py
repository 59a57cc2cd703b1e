"""What goes into the engine and when: events in, decisions out. No clock: every event brings its time."""

from __future__ import annotations

from service.admission.places import Places
from service.admission.queue import Policy, Queue
from service.admission.ticket import State, Ticket


class Scheduler:
    """The engine's slots and places, and the queue in front of them.

    Each event returns the tickets that it moved: let in (``RUNNING``) or refused (``SHED``). At an event a
    slot stays free while somebody waits only if nobody who waits may enter; what time alone changes is seen
    at the next one.
    """

    def __init__(self, policy: Policy, *, slots: int, places: int, max_queue: int, max_wait: float) -> None:
        """``max_wait`` in seconds."""
        self._slots = slots
        self.places = Places(places)
        self.queue = Queue(policy, slots, max_queue, max_wait)
        self.running = 0  # requests in the engine

    def arrive(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request came. It is let in, waits, or is refused; or another is that would go later."""
        ticket.arrived = now
        if self.running < self._slots and not self.queue and self.places.fits(ticket.adapter):
            return [self._admit(ticket, now)]
        self.queue.add(ticket)
        moved = self._fill(now)
        if ticket.state is State.WAITING and (refused := self.queue.refused(ticket, now)):
            self.queue.remove(refused, now)
            refused.state = State.SHED
            moved += [refused, *self._fill(now)]  # an adapter may have drained for it alone
        return moved

    def finish(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request was answered."""
        self.queue.answered(now - ticket.admitted)
        return self.leave(ticket, now)

    def leave(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request is out of the engine, or gives up while it waits."""
        if ticket.state is State.RUNNING:
            self.running -= 1
            self.places.leave(ticket.adapter)
        elif ticket.state is State.WAITING:
            self.queue.remove(ticket, now)
        else:
            return []
        ticket.state = State.GONE
        return self._fill(now)

    def resize(self, slots: int, places: int, now: float) -> list[Ticket]:
        """The engine has more slots or places from now on, or fewer; who has one keeps it."""
        self._slots, self.places.total = slots, places
        self.queue.resized(slots, now)
        return self._fill(now)

    def would_refuse(self, ticket: Ticket, now: float) -> float | None:
        """Seconds to retry after, if a request that came now would be refused; None: it would not."""
        if self.running < self._slots:  # who waits lacks a place, and this one may have it
            return None
        return ticket.retry_after if self.queue.would_refuse(ticket, now) else None

    def _fill(self, now: float) -> list[Ticket]:
        """Let in whom the policy chooses, as long as a slot is free."""
        admitted: list[Ticket] = []
        while self.running < self._slots and (ticket := self.queue.take(now, self.places)):
            admitted.append(self._admit(ticket, now))
        return admitted

    def _admit(self, ticket: Ticket, now: float) -> Ticket:
        ticket.state, ticket.admitted = State.RUNNING, now
        self.running += 1
        self.places.enter(ticket.adapter, now)
        return ticket
