"""Chain of thought: the model reasons inside ``<think>`` and answers after it.

The reasoning is kept out of the content and given as events of its own, as it comes. Tokens that run out
before the reasoning ends leave no content; the answer then says that it was cut (``length``).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from chains.answer import Answer, ask
from chains.closing import Deadline
from chains.events import ChainRequest, Content, Engine, Event, Finish, Reasoning
from chains.parameters import sampling
from chains.splitter import Part, Splitter


class Cot:
    """One call of the engine, its text split by the tags of reasoning."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Reasoning and Content as they come, then Finish."""
        body = {**sampling("cot", request.parameters), "messages": list(request.messages)}
        answer, splitter = Answer(), Splitter("reasoning")
        async with Deadline(request.limits.seconds).each(ask(engine, body, request.stream, answer)) as pieces:
            async for piece in pieces:
                if piece.reasoning:
                    yield Reasoning(piece.reasoning)
                for part in splitter.feed(piece.content):
                    yield _event(part)
        for part in splitter.end():
            yield _event(part)
        cut = answer.reason == "length" or splitter.unclosed is not None
        yield Finish("length" if cut else "stop", answer.usage)

    def warm(self) -> None:
        """Nothing to do."""


def _event(part: Part) -> Event:
    return Reasoning(part.text) if part.kind == "reasoning" else Content(part.text)
