"""Chain of thought: the model reasons inside ``<think>`` and answers after it.

The reasoning is kept out of the content and given as events of its own, as it comes; where the client asks
for more than one text (several choices, log-probabilities, its own tools), it is taken out of the engine's
answer. Tokens that run out before the reasoning ends leave no content; the answer then says that it was cut
(``length``). The client's ``stop`` is about the answer, so it is applied to the content here and not by the
engine.

With ``samples`` the model is asked several times at once and the answers vote as they come; the first that
says what won is given out, with its reasoning. Nothing can be given before the vote is decided, whichever
answers decide it; then the rest is stopped. A request at temperature 0 has nothing to vote on: equal samples
are one answer, which is asked for once and comes as it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from chains.answer import Answer, ask
from chains.ballot import VoteOn, ballot
from chains.closing import Deadline
from chains.events import ChainRequest, Content, Engine, Event, Finish, Note, Reasoning, Usage
from chains.parameters import beyond_text, sampling
from chains.purpose import Meant
from chains.resources import Resources
from chains.sift import sifted
from chains.splitter import Part, Splitter
from chains.stop import StopAt, stops_of
from chains.vote import Tally
from pointsman.document import Document


class CotOptions(Document):
    """How often the model is asked, and what its answers vote on."""

    samples: Annotated[int, Field(ge=1, le=32)] = 1  # asked at once; 1: no vote, streamed as it comes
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.7  # of samples, where the request has none
    vote: VoteOn = "text"


@dataclass(slots=True)
class _Thought:
    """One answer: complete when its events have ended; its usage is right at any time."""

    answer: Answer = field(default_factory=Answer)
    cut: bool = False  # it ran out of tokens
    events: list[Reasoning | Content] = field(default_factory=list)  # of a sample

    @property
    def content(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Content))

    @property
    def finish(self) -> Finish:
        return Finish("length" if self.cut else "stop", self.answer.usage)


class Cot:
    """One call of the engine, or ``samples`` of them, whose text is split by the tags of reasoning."""

    Options = CotOptions

    def __init__(self, options: CotOptions | None = None) -> None:
        self._options = options or CotOptions()

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Reasoning and Content as they come, then Finish; or Raw, for what these can't say."""
        if beyond_text(request.parameters) is not None:  # no vote: every choice is the client's to see
            async with aclosing(sifted("cot", request, engine)) as answers:
                async for raw in answers:
                    yield raw
            return
        deadline = Deadline(request.limits.seconds)
        if self._votes(request.parameters):
            for event in await deadline.wait(self._voted(request, engine)):
                yield event
            return
        thought = _Thought()
        body = {**sampling("cot", request.parameters), "messages": list(request.messages)}
        stream = request.stream or body.get("stop") is not None  # we cut: a whole answer would come too late
        async with deadline.each(_think(engine, body, stream, thought)) as events:
            async for event in events:
                yield event
        yield thought.finish

    def temperature(self, parameters: Mapping[str, Any]) -> float | None:
        """Of samples that vote the options', where the request has none."""
        asked: float | None = parameters.get("temperature")
        return self._options.temperature if asked is None and self._votes(parameters) else asked

    def warm(self, resources: Resources) -> None:
        """Nothing to do."""

    def _votes(self, parameters: Mapping[str, Any]) -> bool:
        """Whether several samples are drawn: at a temperature of 0 all would be one answer."""
        several = self._options.samples > 1 and beyond_text(parameters) is None
        return several and parameters.get("temperature") != 0

    async def _voted(self, request: ChainRequest, engine: Engine) -> list[Event]:
        """All events of the sample that won, behind the vote, with the usage of all samples."""
        thoughts = [_Thought() for _ in range(self._options.samples)]
        bodies = self._bodies(request)
        tasks = [
            asyncio.create_task(_sample(Meant(engine, f"sample {number}"), body, thought), name="sample")
            for number, (body, thought) in enumerate(zip(bodies, thoughts, strict=True), start=1)
        ]
        tally = Tally(len(tasks))
        try:
            async with aclosing(_as_they_end(tasks)) as ended:
                async for index in ended:
                    thought = thoughts[index]
                    tally.add(index, None if thought.cut else ballot(thought.content, self._options.vote))
                    if tally.decided:
                        break
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        best = thoughts[tally.first]
        facts = {
            "samples": len(tasks),
            "answers": tally.ballots,
            "winner": tally.winner,
            "votes": tally.votes,
        }
        prompt = Usage(best.answer.usage.prompt_tokens)  # that all read; one stopped early may not have told
        usage = sum(
            (one if (one := thought.answer.usage).prompt_tokens else prompt for thought in thoughts), Usage()
        )
        return [Note("vote", facts), *best.events, Finish(best.finish.reason, usage)]

    def _bodies(self, request: ChainRequest) -> Iterator[dict[str, Any]]:
        """What each sample is asked with: a client's seed is that of the first, and so on."""
        parameters = sampling("cot", request.parameters)
        parameters["temperature"] = self.temperature(request.parameters)
        seed = parameters.get("seed")
        for index in range(self._options.samples):
            own = (
                {"seed": seed + index} if isinstance(seed, int) else {}
            )  # what else it is, the engine refuses
            yield {**parameters, **own, "messages": list(request.messages)}


async def _as_they_end(tasks: Sequence[asyncio.Task[None]]) -> AsyncGenerator[int, None]:
    """The index of each task that has ended, of several at once the lowest first; raises what one raised."""
    out = dict(zip(tasks, range(len(tasks)), strict=True))
    while out:
        ended, _ = await asyncio.wait(out, return_when=asyncio.FIRST_COMPLETED)
        for index, task in sorted((out.pop(task), task) for task in ended):
            await task
            yield index


async def _sample(engine: Engine, body: Mapping[str, Any], thought: _Thought) -> None:
    async with aclosing(_think(engine, body, True, thought, count_along=True)) as events:
        async for event in events:
            thought.events.append(event)


async def _think(
    engine: Engine, body: Mapping[str, Any], stream: bool, thought: _Thought, count_along: bool = False
) -> AsyncGenerator[Reasoning | Content, None]:
    """The events of one answer to ``body``, whose ``stop`` is about the content; fills ``thought``."""
    stop, splitter = StopAt(stops_of(body)), Splitter("reasoning")
    asked = {name: value for name, value in body.items() if name != "stop"}
    along = count_along or body.get("stop") is not None
    async with aclosing(ask(engine, asked, stream, thought.answer, count_along=along)) as pieces:
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
    cut = thought.answer.reason == "length" or splitter.unclosed is not None
    thought.cut = cut and not stop.reached


def _events(parts: Sequence[Part], stop: StopAt) -> Iterator[Reasoning | Content]:
    for part in parts:
        if part.kind == "reasoning":
            yield Reasoning(part.text)
        elif text := stop.feed(part.text):
            yield Content(text)
