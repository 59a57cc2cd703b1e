"""Chain of thought: the model reasons inside ``<think>`` and answers after it.

The reasoning is kept out of the content and given as events of its own, as it comes; where the client asks
for more than one text (several choices, log-probabilities, its own tools), it is taken out of the engine's
answer. Tokens that run out before the reasoning ends leave no content; the answer then says that it was cut
(``length``). The client's ``stop`` is about the answer, so it is applied to the content here and not by the
engine.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from chains.answer import Answer, ask
from chains.closing import Deadline
from chains.events import ChainRequest, Content, Engine, Event, Finish, Reasoning
from chains.parameters import beyond_text, sampling
from chains.sift import sifted
from chains.splitter import Part, Splitter
from chains.stop import StopAt, stops_of


class Cot:
    """One call of the engine, its text split by the tags of reasoning."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Reasoning and Content as they come, then Finish; or Raw, for what these can't say."""
        if beyond_text(request.parameters) is not None:
            async with aclosing(sifted("cot", request, engine)) as answers:
                async for raw in answers:
                    yield raw
            return
        parameters = sampling("cot", request.parameters)
        stop = StopAt(stops_of(parameters))
        cuts = parameters.pop("stop", None) is not None  # we cut: a whole answer would come too late
        body = {**parameters, "messages": list(request.messages)}
        answer, splitter = Answer(), Splitter("reasoning")
        asking = ask(engine, body, request.stream or cuts, answer, count_along=cuts)
        async with Deadline(request.limits.seconds).each(asking) as pieces:
            async for piece in pieces:
                if piece.reasoning:
                    yield Reasoning(piece.reasoning)
                for event in _events(splitter.feed(piece.content), stop):
                    yield event
                if stop.reached:
                    break
        for event in _events(splitter.end(), stop):
            yield event
        if tail := stop.end():
            yield Content(tail)
        cut = answer.reason == "length" or splitter.unclosed is not None
        yield Finish("length" if cut and not stop.reached else "stop", answer.usage)

    def warm(self) -> None:
        """Nothing to do."""


def _events(parts: list[Part], stop: StopAt) -> Iterator[Event]:
    for part in parts:
        if part.kind == "reasoning":
            yield Reasoning(part.text)
        elif text := stop.feed(part.text):
            yield Content(text)
