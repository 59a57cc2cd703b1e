"""What a call of the model is for, told past all that stands between a chain and its engine.

Whoever owns the engine may look at it (:func:`purpose`) when a call begins; nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chains.closing import closing
from chains.events import Engine

_ANSWER = "answer"
_PURPOSE: ContextVar[str] = ContextVar("purpose", default="")


def purpose() -> str:
    """What the call that begins now is for: ``answer`` where nobody says."""
    return _PURPOSE.get() or _ANSWER


class Meant:
    """``engine`` whose calls are for ``what``; one in another tells both, ``choice 1: repair``."""

    def __init__(self, engine: Engine, what: str) -> None:
        self._engine = engine
        self._what = what

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON."""
        with self._told():
            return await self._engine.complete(body)

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events; the call begins with the first of them."""
        async with closing(self._engine.stream(body)) as pieces:
            with self._told():  # not while a piece is given: who takes it may ask for something else
                first = await anext(pieces, None)
            if first is None:
                return
            yield first
            async for piece in pieces:
                yield piece

    @contextmanager
    def _told(self) -> Iterator[None]:
        within = _PURPOSE.get()
        token = _PURPOSE.set(f"{self._what}: {within}" if within else self._what)
        try:
            yield
        finally:
            _PURPOSE.reset(token)
