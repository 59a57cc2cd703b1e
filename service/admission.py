"""How many requests the engine works on at once; the others wait in a queue that has an end.

:class:`Admission` counts and bounds. Who of those that wait goes next is the business of a :class:`Policy`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from service.errors import TooManyRequests
from service.settings import AdmissionSettings


@dataclass(eq=False, slots=True)
class Ticket:
    """One request that waits, on its way to ``model`` (an alias or the base)."""

    model: str
    since: float  # seconds on the loop's clock
    turn: asyncio.Future[None] = field(repr=False)


class Policy(Protocol):
    """The order of those that wait."""

    def __len__(self) -> int: ...

    def add(self, ticket: Ticket) -> None: ...

    def remove(self, ticket: Ticket) -> None:
        """Forget a ticket that gave up; it may be gone already."""
        ...

    def next(self) -> Ticket | None:
        """Take out the one who goes next."""
        ...


class InOrder:
    """First come, first served."""

    def __init__(self) -> None:
        self._tickets: deque[Ticket] = deque()

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets.append(ticket)

    def remove(self, ticket: Ticket) -> None:
        if ticket in self._tickets:
            self._tickets.remove(ticket)

    def next(self) -> Ticket | None:
        return self._tickets.popleft() if self._tickets else None


class Admission:
    """The slots of the engine and the queue in front of them."""

    def __init__(self, settings: AdmissionSettings, policy: Policy | None = None) -> None:
        self._settings = settings
        self._policy = policy if policy is not None else InOrder()
        self._running = 0

    @property
    def running(self) -> int:
        """Requests that hold a slot."""
        return self._running

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._policy)

    def check(self) -> None:
        """Refuse at once, before any work, what could not even wait.

        Raises:
            TooManyRequests: all slots are taken and the queue is full.
        """
        if self._running >= self._settings.max_concurrent and self.waiting >= self._settings.max_queue:
            raise TooManyRequests(
                f"{self._running} requests are running and {self.waiting} are waiting; try again later",
                retry_after=1,
            )

    @asynccontextmanager
    async def slot(self, model: str) -> AsyncGenerator[None, None]:
        """A slot, held until the exit.

        Raises:
            TooManyRequests: the queue is full, or the wait was too long.
        """
        await self._enter(model)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, model: str) -> None:
        if self._running < self._settings.max_concurrent and not len(self._policy):
            self._running += 1
            return
        self.check()
        loop = asyncio.get_running_loop()
        ticket = Ticket(model, loop.time(), loop.create_future())
        self._policy.add(ticket)
        try:
            async with asyncio.timeout(self._settings.max_wait_seconds):
                await ticket.turn
        except BaseException as exc:
            self._policy.remove(ticket)
            if ticket.turn.done() and not ticket.turn.cancelled():
                self._leave()  # the turn came while the wait was given up
            if isinstance(exc, TimeoutError):
                seconds = self._settings.max_wait_seconds
                raise TooManyRequests(f"waited {seconds:g} s for the engine", retry_after=5) from None
            raise

    def _leave(self) -> None:
        """Hand the slot to the next who still waits, or free it."""
        while (ticket := self._policy.next()) is not None:
            if not ticket.turn.done():
                ticket.turn.set_result(None)
                return
        self._running -= 1
