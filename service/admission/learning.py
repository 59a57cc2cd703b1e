"""Asks the engine for its numbers every second and sets how many requests it is given at once."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from service.admission.gate import Admission
from service.admission.learned import LEAST, MOST, Learned, Look
from service.errors import EngineError

log = logging.getLogger("pointsman.admission")

_SECONDS = 1.0
_LINE = re.compile(
    r"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc|generation_tokens_total)"
    r"(?:\{[^}]*\})? (\S+)",
    re.MULTILINE,
)


class Server(Protocol):
    """A server of the engine."""

    async def text(self, path: str) -> str: ...


class Learning:
    """The task behind ``max_concurrent: learned``."""

    def __init__(self, admission: Admission, servers: Callable[[], Sequence[Server]]) -> None:
        self._admission = admission
        self._servers = servers
        self._learned = Learned()
        self._looked: tuple[Server, ...] = ()  # at these the last time
        self._told = ""

    async def run(self) -> None:
        """Look and set until cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            try:
                await self.look()
            except (EngineError, ValueError) as exc:
                if str(exc) != self._told:
                    self._told = str(exc)
                    log.warning("how much the engine can do at once is not learned: %s", exc)

    async def look(self) -> None:
        """One look at all servers.

        Raises:
            EngineError: one can't be asked.
            ValueError: one does not have vLLM's numbers.
        """
        servers = tuple(self._servers())
        if not servers:
            return
        if self._looked not in ((), servers):  # what others made is nothing to compare with
            target = round(self._learned.target * len(servers) / len(self._looked))
            self._learned = Learned(min(max(target, LEAST), MOST))
            self._admission.aim(self._learned.target)
        self._looked = servers
        pages = await asyncio.gather(*(server.text("/metrics") for server in servers))
        if tuple(self._servers()) != servers:  # what they say is of no share that holds now
            return
        before = self._learned.target
        target = self._learned.look(summed(pages, time.monotonic(), self._admission.waiting))
        self._admission.aim(target)
        if target != before:
            log.info("the engine is given %d requests at once, before %d", target, before)


def summed(pages: Iterable[str], now: float, queued: int) -> Look:
    """What the pages of all servers say together, while ``queued`` wait in front of them.

    Raises:
        ValueError: one lacks a number.
    """
    totals: dict[str, float] = {}
    for page in pages:
        found = _LINE.findall(page)  # with data parallel a line of each engine of the server
        if len(names := {name for name, _ in found}) < 4:
            raise ValueError(f"/metrics of a server has only {sorted(names)} of vLLM's numbers")
        for name, value in found:
            both = max if name == "kv_cache_usage_perc" else float.__add__
            totals[name] = both(totals.get(name, 0.0), float(value))
    return Look(
        now,
        running=int(totals["num_requests_running"]),
        waiting=int(totals["num_requests_waiting"]),
        cache=totals["kv_cache_usage_perc"],
        tokens=totals["generation_tokens_total"],
        queued=queued,
    )
