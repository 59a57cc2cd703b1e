"""What goes into the engine and when: events in, decisions out. No clock: every event brings its time."""

from __future__ import annotations

from service.admission.places import Places
from service.admission.queue import Policy, Queue
from service.admission.ticket import State, Ticket


class Scheduler:
    """The engine's slots and places, and the queue in front of them.

    Each event returns the tickets that it moved: let in (``RUNNING``) or refused (``SHED``). A slot is free
    while somebody waits only if nobody who waits may enter.
    """

    def __init__(self, policy: Policy, *, slots: int, places: int, max_queue: int, max_wait: float) -> None:
        """``max_wait`` in seconds."""
        self._slots = slots
        self._places = Places(places)
        self._queue = Queue(policy, slots, max_queue, max_wait)
        self.running = 0  # requests in the engine

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def adapters_running(self) -> int:
        """Different adapters in the engine."""
        return len(self._places.running)

    def arrive(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request came. It is let in, waits, or is refused; or another is that would go later."""
        ticket.arrived = now
        if self.running < self._slots and not self._queue and self._places.fits(ticket.adapter):
            return [self._admit(ticket, now)]
        self._queue.add(ticket)
        moved = self._fill(now)
        if ticket.state is State.WAITING and (refused := self._queue.refused(ticket, now)):
            self._queue.remove(refused, now)
            refused.state = State.SHED
            moved += [refused, *self._fill(now)]  # an adapter may have drained for it alone
        return moved

    def finish(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request was answered."""
        self._queue.answered(now - ticket.admitted)
        return self.leave(ticket, now)

    def leave(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request is out of the engine, or gives up while it waits."""
        if ticket.state is State.RUNNING:
            self.running -= 1
            self._places.leave(ticket.adapter)
        elif ticket.state is State.WAITING:
            self._queue.remove(ticket, now)
        else:
            return []
        ticket.state = State.GONE
        return self._fill(now)

    def resize(self, slots: int, places: int, now: float) -> list[Ticket]:
        """The engine has more slots or places from now on, or fewer; who has one keeps it."""
        self._slots, self._places.total = slots, places
        self._queue.resized(slots, now)
        return self._fill(now)

    def would_refuse(self, ticket: Ticket, now: float) -> float | None:
        """Seconds to retry after, if a request that came now would be refused; None: it would not."""
        if self.running < self._slots:  # who waits lacks a place, and this one may have it
            return None
        return ticket.retry_after if self._queue.would_refuse(ticket, now) else None

    def _fill(self, now: float) -> list[Ticket]:
        """Let in whom the policy chooses, as long as a slot is free."""
        admitted: list[Ticket] = []
        while self.running < self._slots and (ticket := self._queue.take(now, self._places)):
            admitted.append(self._admit(ticket, now))
        return admitted

    def _admit(self, ticket: Ticket, now: float) -> Ticket:
        ticket.state, ticket.admitted = State.RUNNING, now
        self.running += 1
        self._places.enter(ticket.adapter, now)
        return ticket
