"""The direct chain: the engine's bytes, passed on as they come. Nothing is parsed.

A ``stop`` beside the client's tools is looked for here: the engine would end inside a call too. Beside
log-probabilities the answer is read too, as they are those of the content.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from chains.closing import closing
from chains.events import ChainRequest, Engine, Event, Raw
from chains.joined import joined, wants_joined
from chains.parameters import calls_tools
from chains.resources import Resources
from chains.sift import stopped
from chains.stop import stops_of


class Direct:
    """Honours every parameter that the engine does; the route's server tools play no part."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """One :class:`Raw` for each piece of a stream, or one for the whole body."""
        if calls_tools(request.parameters) and stops_of(request.parameters):
            async with aclosing(stopped("direct", request, engine, apart=False)) as answers:
                async for raw in answers:
                    yield raw
            return
        if wants_joined(request.parameters):
            async with aclosing(joined(request, engine)) as answers:
                async for raw in answers:
                    yield raw
            return
        body = {**request.parameters, "messages": list(request.messages), "stream": request.stream}
        if not request.stream:
            yield Raw(await engine.complete(body))
            return
        async with closing(engine.stream(body)) as pieces:
            async for data in pieces:
                yield Raw(data)

    def warm(self, resources: Resources) -> None:
        """Nothing to do."""
