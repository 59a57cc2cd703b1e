"""The direct chain: the engine's bytes, passed on as they come. Nothing is parsed."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from chains.closing import closing
from chains.events import ChainRequest, Engine, Event, Raw
from chains.resources import Resources


class Direct:
    """Honours every parameter that the engine does; the route's server tools play no part."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """One :class:`Raw` for each piece of a stream, or one for the whole body."""
        body = {**request.parameters, "messages": list(request.messages), "stream": request.stream}
        if not request.stream:
            yield Raw(await engine.complete(body))
            return
        async with closing(engine.stream(body)) as pieces:
            async for data in pieces:
                yield Raw(data)

    def warm(self, resources: Resources) -> None:
        """Nothing to do."""
