"""What goes into the engine and when: events in, decisions out. No clock: every event brings its time.

A slot is free while somebody waits only if nobody who waits may enter: their adapters have no place, or are
draining.
"""

from __future__ import annotations

from service.admission.places import Places
from service.admission.policy import Policy
from service.admission.shedding import Shedding
from service.admission.ticket import Priority, State, Ticket


class Scheduler:
    """The slots of the engine and the queue in front of them.

    Each event returns the tickets that it moved: let in (``RUNNING``) or refused (``SHED``).
    """

    def __init__(self, policy: Policy, *, slots: int, places: int, max_queue: int, max_wait: float) -> None:
        self._policy = policy
        self._slots = slots
        self._places = Places(places)
        self._shedding = Shedding(policy, max_queue, max_wait)
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
        if self._slot_is_free and not self.waiting and self._places.fits(ticket.adapter):
            self._admit(ticket, now)
            return [ticket]
        too_late = self._shedding.too_late(ticket.caller, ticket.priority, self._slots)
        if too_late is not None and not self._slot_is_free:
            return [_shed(ticket, too_late)]
        pushed_out = self._shedding.pushed_out(ticket.caller, ticket.priority) if too_late is None else None
        moved = []
        ticket.state = State.WAITING
        self._policy.add(ticket)
        if pushed_out is not None:
            self._policy.remove(pushed_out, now)
            moved.append(_shed(pushed_out, self.retry_after(pushed_out.caller, pushed_out.priority)))
        moved += self._fill(now)
        if too_late is not None and ticket.state is State.WAITING:  # the free slot was not for him
            self._policy.remove(ticket, now)
            moved.append(_shed(ticket, too_late))
        return moved

    def finish(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request was answered."""
        self._shedding.answered(now - ticket.admitted)
        return self._release(ticket, now)

    def leave(self, ticket: Ticket, now: float) -> list[Ticket]:
        """A request is given up, in the queue, as its turn came or in the engine; or it failed there."""
        if ticket.state is State.RUNNING:
            return self._release(ticket, now)
        if ticket.state is State.WAITING:
            self._policy.remove(ticket, now)
            ticket.state = State.GONE
            return self._fill(now)
        return []

    def resize(self, slots: int, places: int, now: float) -> list[Ticket]:
        """The engine has more slots or places from now on, or fewer; who has one keeps it."""
        self._slots, self._places.total = slots, places
        return self._fill(now)

    def would_refuse(self, caller: str, priority: Priority = "interactive") -> float | None:
        """Seconds to retry after, if a request that came now would be shed; None: it would not."""
        if self._slot_is_free:  # who waits lacks a place, and this one may have it
            return None
        return self._shedding.too_late(caller, priority, self._slots)

    def retry_after(self, caller: str, priority: Priority) -> float:
        """Seconds, from 1 to 60, after which all that goes before such a request is in the engine."""
        return self._shedding.retry_after(caller, priority, self._slots)

    @property
    def _slot_is_free(self) -> bool:
        return self.running < self._slots

    def _fill(self, now: float) -> list[Ticket]:
        """Let in whom the policy chooses, as long as a slot is free."""
        admitted = []
        while self._slot_is_free and self.waiting:
            ticket = self._policy.take(now, self._places)
            if ticket is None:
                break
            self._admit(ticket, now)
            admitted.append(ticket)
        if self.waiting:
            self._shedding.look(now, len(admitted))
        else:
            self._shedding.stop()
        return admitted

    def _admit(self, ticket: Ticket, now: float) -> None:
        ticket.state, ticket.admitted = State.RUNNING, now
        self.running += 1
        self._places.enter(ticket.adapter)

    def _release(self, ticket: Ticket, now: float) -> list[Ticket]:
        ticket.state = State.GONE
        self.running -= 1
        self._places.leave(ticket.adapter)
        return self._fill(now) if self.waiting else []


def _shed(ticket: Ticket, retry_after: float) -> Ticket:
    ticket.state, ticket.retry_after = State.SHED, retry_after
    return ticket
