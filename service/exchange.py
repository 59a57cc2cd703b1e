"""One request between its plan and its answer: a slot, a lease, the chain's events, and a bound in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from chains.errors import ChainTimeout
from chains.events import Event
from service.admission import Admission
from service.dispatch import Models
from service.errors import Stopping
from service.record import Record

Events = AsyncGenerator[Event, None]


@dataclass(frozen=True, slots=True)
class Job:
    """Something to generate. ``run`` gets the model's name at the engine and gives the events."""

    model: str | None  # alias or alias@version; None: the base
    conversation: str  # key that keeps a conversation on its version
    run: Callable[[str], Events]
    asked: Sequence[Mapping[str, Any]] = ()  # the client's messages, whose places errors name
    version: str | None = None  # alias@version that it was planned for; one that is gone since is left out


class Exchange:
    """Runs jobs, one slot and one lease each, both held until the last event is out."""

    def __init__(self, base: str, admission: Admission, models: Models, seconds: float) -> None:
        self._base = base
        self._admission = admission
        self._models = models
        self._seconds = seconds
        self._bounds: set[asyncio.Timeout] = set()  # of the jobs under way
        self._ended = False

    def end(self) -> None:
        """Cut the jobs under way, each with an error to its client: the gateway is stopping."""
        self._ended = True
        now = asyncio.get_running_loop().time()
        for bound in self._bounds:
            if not bound.expired():
                bound.reschedule(now)

    def check(self, record: Record) -> None:
        """Refuse before any work what can't even wait.

        Raises:
            TooManyRequests: the queue is full, or too long to be served in time.
        """
        self._admission.check(record.caller, record.priority)

    @asynccontextmanager
    async def open(self, job: Job, record: Record) -> AsyncGenerator[Events, None]:
        """The events of ``job``; all of it ends with the exit.

        Raises:
            TooManyRequests: no slot.
            ModelNotFound, EngineUnavailable: no such version, or no lease.
            ChainTimeout, Stopping: over the bound on a request, or :meth:`end`; in the consumer's
                ``async with``.
        """
        try:
            async with asyncio.timeout(self._seconds - record.elapsed) as bound, AsyncExitStack() as held:
                self._bounds.add(bound)
                held.callback(self._bounds.discard, bound)
                model = self._model(job)
                wanted = None if model is None else self._models.name_of(model, job.conversation)
                slot = self._admission.slot(wanted, record.caller, record.priority)
                await held.enter_async_context(slot)
                name = self._base
                if (model := self._model(job)) is not None:
                    lease = await held.enter_async_context(self._models.lease(model, job.conversation))
                    name = lease.name
                record.adapter = name
                yield await held.enter_async_context(aclosing(job.run(name)))
        except TimeoutError:
            if bound.expired() and self._ended:
                raise Stopping from None
            if bound.expired():
                raise ChainTimeout(self._seconds) from None
            raise

    def _model(self, job: Job) -> str | None:
        """What is leased: the version that the job was planned for, as long as it is not retired."""
        planned = job.version
        return planned if planned is not None and self._models.knows(planned) else job.model
