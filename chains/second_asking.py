"""An engine that is asked once more, in another form, where it refuses a request as it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from chains.closing import closing
from chains.errors import Refused
from chains.events import Engine


class SecondAsking(ABC):
    """``engine`` for one run; what it refused once is asked in the other form from then on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def complete(self, body: Mapping[str, Any]) -> bytes:
        """The whole answer as JSON; raises what the engine does, also against the other form."""
        try:
            return await self._engine.complete(self._asked(body))
        except Refused as exc:
            if not self._loosens(body, exc):
                raise
        return await self._engine.complete(self._asked(body))

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events; a stream that has begun is not asked for again."""
        begun = False
        try:
            async with closing(self._engine.stream(self._asked(body))) as pieces:
                async for piece in pieces:
                    begun = True
                    yield piece
        except Refused as exc:
            if begun or not self._loosens(body, exc):
                raise
        else:
            return
        async with closing(self._engine.stream(self._asked(body))) as pieces:
            async for piece in pieces:
                yield piece

    @abstractmethod
    def _asked(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """``body`` in the form that is asked in now."""

    @abstractmethod
    def _loosens(self, body: Mapping[str, Any], refused: Refused) -> bool:
        """Whether there is another form to ask in, which is then taken."""
