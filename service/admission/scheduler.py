"""What goes into the engine and when: events in, decisions out.

Pure and deterministic: no clock (every event brings its time), no I/O, no tasks. The engine has ``capacity``
slots, one a request, and ``adapters`` places, one for each *different* adapter that runs. Who of those that
wait goes next is the business of a :class:`Policy`; counting, bounding and shedding are done here.

A slot is free while somebody waits only if nobody who waits may run: their adapters find no place, or wait
for one that is being freed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from service.admission.pace import Pace
from service.admission.policy import Policy
from service.admission.ticket import Priority, State, Ticket

_REMEMBERED = 100  # requests over which the time in the engine is averaged
_LONGEST_RETRY = 60.0  # seconds


class Scheduler:
    """The slots of the engine and the queue in front of them.

    Each event returns the tickets that it moved: let in (``RUNNING``) or refused (``SHED``).
    """

    def __init__(
        self, policy: Policy, *, capacity: int, adapters: int, max_queue: int, max_wait: float
    ) -> None:
        self._policy = policy
        self._capacity = capacity
        self._adapters = adapters
        self._max_queue = max_queue
        self._max_wait = max_wait  # seconds
        self._by_adapter: dict[str, int] = {}  # the one first that nobody entered for the longest time
        self._running = 0
        self._finished = 0
        self._held = 0.0  # seconds that a request which is answered is in the engine, on average
        self._pace = Pace(max_wait)

    @property
    def running(self) -> int:
        """Requests in the engine."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._policy)

    @property
    def adapters_running(self) -> int:
        """Different adapters in the engine."""
        return len(self._by_adapter)

    def arrive(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        """A request came. It is let in, waits, or is shed; it may push out another that would go later."""
        ticket.arrived = now
        if self._slot_is_free and not self.waiting and ticket.fits(self._by_adapter, self._places):
            self._admit(ticket, now)
            return (ticket,)
        if self._comes_too_late(ticket.caller, ticket.priority):
            return self._enter_or_shed(ticket, now)
        pushed_out = self._policy.last() if self.waiting >= self._max_queue else None
        self._queue(ticket)
        shed = []
        if pushed_out is not None:
            self._policy.remove(pushed_out, now)
            retry_after = self.retry_after(pushed_out.caller, pushed_out.priority)
            shed.append(self._shed(pushed_out, retry_after))
        return (*shed, *self._fill(now))

    def finish(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        """A request was answered."""
        self._finished += 1
        self._held += (now - ticket.admitted - self._held) / min(self._finished, _REMEMBERED)
        return self._release(ticket, now)

    def leave(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        """A request is given up, in the queue, as its turn came or in the engine; or it failed there."""
        if ticket.state is State.RUNNING:
            return self._release(ticket, now)
        if ticket.state is State.WAITING:
            self._policy.remove(ticket, now)
            ticket.state = State.GONE
            return self._fill(now)
        return ()

    def resize(self, capacity: int, adapters: int, now: float) -> Sequence[Ticket]:
        """The engine has more slots or places from now on, or fewer; who has one keeps it."""
        self._capacity, self._adapters = capacity, adapters
        return self._fill(now)

    def would_refuse(self, caller: str, priority: Priority = "interactive") -> float | None:
        """Seconds to retry after, if a request that came now would be shed; None: it would not.

        It would be where the queue is full and all of it goes earlier, and where its turn would come after
        the longest wait.
        """
        if self._slot_is_free:  # who waits lacks a place, and this one may have it
            return None
        return self.retry_after(caller, priority) if self._comes_too_late(caller, priority) else None

    def wait(self, caller: str, priority: Priority) -> float:
        """Seconds until a request that came now would have its turn; 0: nothing is known.

        By the pace at which the order goes by, which knows of those who come later and go earlier, of places
        and of an engine that got slower; until there is one, by those ahead and how long each holds a slot.
        """
        pace = self._pace.seconds
        if pace is None:
            return self._policy.ahead(caller, priority) * self._held / self._capacity
        return self._policy.distance(caller, priority) * pace

    def retry_after(self, caller: str, priority: Priority) -> float:
        """Seconds, whole, after which all that goes before such a request is in the engine. From 1 to 60."""
        return float(min(max(math.ceil(self.wait(caller, priority)), 1), _LONGEST_RETRY))

    @property
    def _slot_is_free(self) -> bool:
        return self._running < self._capacity

    @property
    def _places(self) -> int:
        """Places that no adapter has; below 0 where some were taken away."""
        return self._adapters - len(self._by_adapter)

    def _comes_too_late(self, caller: str, priority: Priority) -> bool:
        """Whether the queue is full and all of it goes before, or too long for the longest wait."""
        full = self.waiting >= self._max_queue and self._policy.goes_last(caller, priority)
        return full or self.wait(caller, priority) + self._policy.slack > self._max_wait

    def _enter_or_shed(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        """Let in who needs no place, or has one, where slots are free; else the queue is too long."""
        retry_after = self.retry_after(ticket.caller, ticket.priority)
        entered: list[Ticket] = []
        if self._slot_is_free:
            self._queue(ticket)
            entered = self._fill(now)
            if ticket.state is State.RUNNING:
                return entered
            self._policy.remove(ticket, now)
        return (*entered, self._shed(ticket, retry_after))

    def _queue(self, ticket: Ticket) -> None:
        ticket.state = State.WAITING
        self._policy.add(ticket)

    def _fill(self, now: float) -> list[Ticket]:
        admitted = []
        while self._slot_is_free and self.waiting:
            ticket = self._policy.take(now, self._by_adapter, self._places)
            if ticket is None:
                break
            self._admit(ticket, now)
            admitted.append(ticket)
        if self.waiting:
            self._pace.look(now, self._policy.passed, len(admitted))
        else:
            self._pace.stop()
        return admitted

    def _admit(self, ticket: Ticket, now: float) -> None:
        ticket.state, ticket.admitted = State.RUNNING, now
        self._running += 1
        if ticket.adapter is not None:
            self._by_adapter[ticket.adapter] = self._by_adapter.pop(ticket.adapter, 0) + 1  # now the last

    def _release(self, ticket: Ticket, now: float) -> Sequence[Ticket]:
        ticket.state = State.GONE
        self._running -= 1
        if ticket.adapter is not None:
            left = self._by_adapter[ticket.adapter] - 1
            if left:
                self._by_adapter[ticket.adapter] = left
            else:
                del self._by_adapter[ticket.adapter]
        return self._fill(now) if self.waiting else ()

    @staticmethod
    def _shed(ticket: Ticket, retry_after: float) -> Ticket:
        ticket.state, ticket.retry_after = State.SHED, retry_after
        return ticket
