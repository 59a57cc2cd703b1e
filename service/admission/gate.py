"""The scheduler at work: the event loop's clock, futures for who waits, and HTTP's 429 for who is refused.

Every request that was let in is let out again, whoever is cancelled when: a turn that comes as its owner
gives up goes to the next.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Set
from contextlib import asynccontextmanager
from typing import Protocol

from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.learned import FIRST
from service.admission.queue import Policy
from service.admission.scheduler import Scheduler
from service.admission.ticket import Priority, State, Ticket
from service.errors import TooManyRequests
from service.sections import AdmissionSettings


class Observer(Protocol):
    """Who is told how it went: the metrics."""

    def admitted(self, priority: Priority, waited: float) -> None:
        """A request was let in after ``waited`` seconds."""
        ...

    def refused(self, reason: str) -> None:
        """A request was not: ``queue`` at once or pushed out of it, ``timeout`` after the longest wait."""
        ...


class Admission:
    """The slots of the engine: of ``servers`` alike, each of which holds ``adapters`` different adapters."""

    def __init__(
        self,
        settings: AdmissionSettings,
        adapters: int,
        observer: Observer | None = None,
        *,
        servers: int = 1,
        left: Callable[[], tuple[int, Set[str]]] = lambda: (0, frozenset()),
    ) -> None:
        """``left``: how many requests are on servers that are gone, and what adapters are on those alone."""
        self._max_wait = settings.max_wait_seconds
        self._max_concurrent = settings.max_concurrent
        self._servers, self._adapters, self._up = servers, adapters, servers
        self._left, self._beside = left, (0, 0)
        self._slots = FIRST if self._max_concurrent == "learned" else self._max_concurrent
        self._places = servers * adapters
        self._scheduler = Scheduler(
            policy_of(settings),
            slots=self._slots,
            places=self._places,
            max_queue=settings.max_queue,
            max_wait=settings.max_wait_seconds,
        )
        self._observer = observer
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}

    @property
    def running(self) -> int:
        """Requests that hold a slot."""
        return self._scheduler.running

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._scheduler.queue)

    @property
    def adapters(self) -> int:
        """Different adapters that hold slots."""
        return len(self._scheduler.places.running)

    def aim(self, slots: int) -> None:
        """Have so many slots from now on, of the servers that are up."""
        self._slots = slots
        self._resize()

    def servers_up(self, count: int) -> None:
        """Have the slots and the places of so many servers; of one where none is up, to refuse who comes.

        Beside them there are those that requests hold on a server that is gone, until they are out of it.
        """
        before, self._up = self._up, min(max(count, 1), self._servers)
        self._places = self._up * self._adapters
        if self._max_concurrent == "learned":  # until who learns them looks again
            self._slots = math.ceil(self._slots * self._up / before)
        else:
            self._slots = math.ceil(self._max_concurrent * self._up / self._servers)
        self._resize()

    def check(self, caller: str, priority: Priority = "interactive") -> None:
        """Refuse at once, before any work, what would not even wait for the base: its model isn't known yet.

        Raises:
            TooManyRequests: the queue is full, or too long to be served in time.
        """
        retry_after = self._scheduler.would_refuse(Ticket(None, caller, priority), time.monotonic())
        if retry_after is not None:
            raise self._refusal(retry_after)

    @asynccontextmanager
    async def slot(
        self, adapter: str | None, caller: str = "", priority: Priority = "interactive"
    ) -> AsyncGenerator[None, None]:
        """A slot for a request to ``adapter`` (None: the base), held until the exit.

        Raises:
            TooManyRequests: as in :meth:`check`, or the wait was too long, or callers who have had less
                pushed it out of a full queue.
        """
        ticket = Ticket(adapter, caller, priority)
        self._tell(self._scheduler.arrive, ticket)
        if ticket.state is State.WAITING:
            await self._wait(ticket)
        if ticket.state is State.SHED:
            raise self._refusal(ticket.retry_after)
        try:
            if self._observer is not None:
                self._observer.admitted(priority, ticket.admitted - ticket.arrived)
            yield
        except BaseException:
            self._tell(self._scheduler.leave, ticket)
            raise
        self._tell(self._scheduler.finish, ticket)

    async def _wait(self, ticket: Ticket) -> None:
        self._waiting[ticket] = turn = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._max_wait):
                await turn
        except TimeoutError:
            self._follow()
            if ticket.state is State.WAITING:  # its turn did not come at the same time
                self._tell(self._scheduler.leave, ticket)
                reason = f"waited {self._max_wait:g} s for the engine"
                raise self._refusal(ticket.retry_after, reason) from None
        except BaseException:
            self._tell(self._scheduler.leave, ticket)
            raise
        finally:
            del self._waiting[ticket]

    def _tell(self, event: Callable[[Ticket, float], Iterable[Ticket]], ticket: Ticket) -> None:
        """Tell the scheduler of an event."""
        self._follow()
        self._wake(event(ticket, time.monotonic()))

    def _follow(self) -> None:
        """Take in what has ended on servers that are gone, before the slots that it held are given on."""
        if self._beside != self._lost():
            self._resize()

    def _lost(self) -> tuple[int, int]:
        """Slots and places that are held on servers that are gone."""
        requests, adapters = self._left()
        return requests, len(adapters & self._scheduler.places.running.keys())

    def _resize(self) -> None:
        self._beside = slots, places = self._lost()
        self._wake(self._scheduler.resize(self._slots + slots, self._places + places, time.monotonic()))

    def _wake(self, moved: Iterable[Ticket]) -> None:
        """Wake those whose wait is over; who is cancelled already gives its turn back when it runs."""
        for ticket in moved:
            turn = self._waiting.get(ticket)
            if turn is not None and not turn.done():
                turn.set_result(None)

    def _refusal(self, retry_after: float, waited: str | None = None) -> TooManyRequests:
        if self._observer is not None:
            self._observer.refused("queue" if waited is None else "timeout")
        reason = waited or (
            f"{self.running} requests are running and {self.waiting} are waiting, too many to serve in time"
        )
        seconds = int(retry_after)
        return TooManyRequests(f"{reason}; try again in {seconds} s", seconds)


def policy_of(settings: AdmissionSettings) -> Policy:
    """The policy that the settings name. Nobody waits for affinity longer than half of the longest wait."""
    if settings.policy == "first_come":
        return FirstCome()
    return Affinity(min(settings.extra_wait_seconds, settings.max_wait_seconds / 2))
