"""Answers from documents: what is near to the question is found first, and the answer cites it.

Where nothing is near enough, the chain says that it does not know and asks no model, but for one token where
the request has options that only the engine can check. The model reads the
passages under numbers and is told to name them; the passages that it named are given back beside the answer.
It answers as in the chain ``cot``: what it reasons is kept apart.

A model may be too small to read passages and to cite them. For such a one ``answer: quote`` gives the
nearest paragraph word for word, cited, and asks no model: it can be the wrong one, but is never made up.

Several choices are made from one look into the documents, each as if it were alone; their prompt counts
once. An answer of a form (JSON) is made as in the chain ``structured``, and cites what its texts name. No
form fits that the chain does not know, so where nothing is near it is told as a refusal.

A client that brings tools of its own runs the loop itself: its step has the passages in its prompt, and
nothing near is no reason to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from chains.choices import choosing, finish_of, merged, seeded
from chains.citations import CitationReader
from chains.clipped import clipped
from chains.closing import Deadline
from chains.cot import Cot
from chains.errors import ChainError, ChainUnsupported
from chains.events import (
    ChainRequest,
    Citation,
    Citations,
    Content,
    Engine,
    Event,
    Finish,
    Message,
    Note,
    Reasoning,
    Refusal,
    Usage,
)
from chains.form import Cost, asked_schema, formed
from chains.index import Found, PassageIndex
from chains.messages import in_chinese, text_of, with_system
from chains.options import Folder
from chains.parameters import calls_tools, formats_of, sampling, token_bounds
from chains.passages import may_hold
from chains.resources import Resources
from chains.schemas.schema import AnswerSchema
from chains.stop import StopAt, stops_of
from chains.trial import one_token
from pointsman.document import Document

_ORDER = (
    "Answer from these passages only, and name the passage behind each statement by its number, like [1]. "
    "If they do not hold the answer, say that you do not know."
)
_UNKNOWN = "I do not know: nothing in my documents answers this."
_UNKNOWN_ZH = "我不知道：我的文档里没有这个问题的答案。"
_ENGINES = (  # options of which only the engine knows whether it can honour them
    *("logit_bias", "allowed_token_ids", "stop_token_ids", "bad_words", "thinking_token_budget"),
)
_FOLDER = "documents"  # of the gateway's state


class RetrieveOptions(Document):
    """Where the documents are, and how much of them an answer is made from."""

    documents: Folder  # of .md, .txt and .pdf files, at any depth; read again when they or the routes change
    passages: Annotated[int, Field(ge=1, le=20)] = 4  # that the model gets to read
    threshold: Annotated[float, Field(ge=-1, le=1)] = 0.37  # cosine; what is below is not near
    answer: Literal["model", "quote"] = "model"  # quote: the nearest paragraph, word for word


class Retrieve:
    """A search, and one call of the model on what it found."""

    Options = RetrieveOptions

    def __init__(self, options: RetrieveOptions) -> None:
        self._options = options
        self._answering = Cot()
        self._ready: tuple[Resources, PassageIndex] | None = None

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Reasoning and Content as they come, then Citations and Finish; Raw for the client's tools.

        Raises:
            ChainUnsupported: log-probabilities or the like are asked for, or a form that is not JSON, or
                one of a quote.
            ParameterInvalid: the schema can't be used.
            AnswerInvalid: the model's answer does not fit it.
        """
        stepping = calls_tools(request.parameters)
        form = {} if stepping else formats_of(request.parameters)
        schema = asked_schema("retrieve", form)
        plain = request if stepping else _one_text(request, form)
        quotes = self._options.answer == "quote"
        if form and quotes:
            name = next(iter(form))
            raise ChainUnsupported("retrieve", name, None, "this route quotes its documents: leave it out")
        deadline = Deadline(request.limits.seconds)
        found = await deadline.wait(asyncio.to_thread(self._search, _queries(request.messages)))
        shown = [
            {"document": one.passage.document, "heading": one.passage.heading, "score": round(one.score, 4)}
            for one in found
        ]
        yield Note("search", {"found": shown})
        if stepping:
            async with deadline.each(self._answering.run(_reading(request, found), engine)) as events:
                async for event in events:
                    yield event
            return
        choices: int = request.parameters.get("n") or 1
        if quotes or not found:
            costs = [Cost(await deadline.wait(_tried(plain, engine))), *(Cost() for _ in range(choices - 1))]
            whole = _words(plain, found)
            said = await deadline.wait(clipped("retrieve", whole, plain.parameters, engine))
            for event in _own(plain, found, said, costs, formed=bool(form), cut=said != whole):
                yield event
            yield finish_of(costs)
            return
        asked = _reading(plain, found)
        costs = [Cost() for _ in range(choices)]
        answers = [
            self._answer(
                _Choice(index, choices, found, cost), asked, choosing(engine, index, choices), schema
            )
            for index, cost in enumerate(costs)
        ]
        async with deadline.each(merged(answers)) as events:
            async for event in events:
                yield event
        yield finish_of(costs)

    async def _answer(
        self, choice: _Choice, request: ChainRequest, engine: Engine, schema: AnswerSchema | None
    ) -> AsyncGenerator[Event, None]:
        """One choice, all but its Finish, of which ``choice`` has the cost."""
        parameters = seeded(request.parameters, choice.index)
        cost = choice.cost
        if schema is not None:
            body = {**sampling("retrieve", parameters), "messages": list(request.messages)}
            async with aclosing(formed(schema, body, engine, request.limits.steps, cost)) as events:
                said = [event async for event in events]
            for event in said:
                yield choice.own(event)
            json_text = "".join(event.text for event in said if isinstance(event, Content))
            yield choice.citations(_named_in(json_text, choice.found))
            return
        reader = CitationReader(len(choice.found))
        async with aclosing(self._answering.run(replace(request, parameters=parameters), engine)) as events:
            async for event in events:
                if isinstance(event, Content):
                    if text := reader.feed(event.text):
                        yield choice.own(Content(text))
                elif isinstance(event, Finish):
                    if tail := reader.end():
                        yield choice.own(Content(tail))
                    if not reader.named:
                        yield choice.uncited
                    yield choice.citations(reader.named)
                    cost.usage, cost.prompt = event.usage, event.usage.prompt_tokens
                    cost.cut = event.reason == "length"
                else:
                    yield choice.own(event)

    def warm(self, resources: Resources) -> None:
        """Bring the index up to date. Blocks; raises DocumentsUnreadable."""
        documents = self._options.documents.resolve()
        folder = resources.state / _FOLDER / hashlib.sha256(str(documents).encode()).hexdigest()[:16]
        self._ready = resources, PassageIndex.synced(documents, resources.encoder, folder)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the documents are."""
        return (self._options.documents,)

    @property
    def unread(self) -> tuple[str, ...]:
        """A sentence for each document that could not be read."""
        return () if self._ready is None else self._ready[1].unreadable

    def reads(self, path: Path) -> bool:
        """Whether a change at ``path`` may change the documents."""
        return may_hold(self._options.documents, path)

    def _search(self, queries: Sequence[str]) -> list[Found]:
        if self._ready is None:
            raise ChainError("the documents have not been read yet")
        resources, index = self._ready
        if not queries:
            return []
        vectors = resources.encoder.encode(queries)
        return index.search(vectors, self._options.passages, self._options.threshold)


async def _tried(request: ChainRequest, engine: Engine) -> Usage:
    """Have the engine refuse what only it can, at this cost: where a model answers, it does so by itself."""
    parameters = sampling("retrieve", request.parameters)
    if all(parameters.get(name) is None for name in _ENGINES):
        return Usage()
    bounds = dict.fromkeys(token_bounds(parameters))
    kept = {name: value for name, value in parameters.items() if name not in bounds}
    return await one_token({**kept, "messages": list(request.messages)}, engine)


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of ``many`` answers."""

    index: int
    many: int
    found: Sequence[Found]
    cost: Cost

    def own(self, event: Event) -> Event:
        """``event`` as one of this choice."""
        return replace(event, choice=self.index) if isinstance(event, Content | Reasoning) else event

    @property
    def uncited(self) -> Note:
        """That the answer names none of the passages, so that nothing shows what it stands on."""
        return Note("uncited", {"passages": len(self.found), **self._which})

    def citations(self, numbers: Sequence[int]) -> Citations:
        """Those of the passages that ``numbers`` name."""
        cited = tuple(_citation(number, self.found) for number in numbers)
        return Citations(cited, self._which.get("choice"))

    @property
    def _which(self) -> dict[str, int]:
        """Which choice it is, where there are several."""
        return {"choice": self.index} if self.many > 1 else {}


def _one_text(request: ChainRequest, form: Mapping[str, Any]) -> ChainRequest:
    """``request`` for one choice, in words."""
    rest = {name: value for name, value in request.parameters.items() if name not in (*form, "n")}
    sampling("retrieve", rest)
    return replace(request, parameters=rest)


def _reading(request: ChainRequest, found: Sequence[Found]) -> ChainRequest:
    """``request`` with what was found in its prompt."""
    return replace(request, messages=with_system(request.messages, _told(found))) if found else request


def _words(request: ChainRequest, found: Sequence[Found]) -> str:
    """An answer that no model makes: the nearest paragraph, or that none is."""
    if found:
        return f"{found[0].paragraph} [1]"
    return _UNKNOWN_ZH if in_chinese(request.messages) else _UNKNOWN


def _own(
    request: ChainRequest,
    found: Sequence[Found],
    said: str,
    costs: Sequence[Cost],
    *,
    formed: bool,
    cut: bool,
) -> Iterator[Event]:
    """Answers that ``said`` this, ``cut`` by the client's bound on tokens or whole, all but their Finish.

    Each goes up to the client's ``stop``. What is quoted is cited if the answer gets to its end.
    """
    for index, cost in enumerate(costs):
        choice = _Choice(index, len(costs), found, cost)
        stop = StopAt(stops_of(request.parameters))
        text = stop.feed(said) + stop.end()
        if text:
            yield Refusal(text, index) if formed else Content(text, index)
        cost.cut = cut and not stop.reached
        yield choice.citations([1] if found and not cut and not stop.reached else [])


def _named_in(text: str, found: Sequence[Found]) -> list[int]:
    """The passages that the texts in a JSON text name, in order; none where it is no JSON."""
    reader = CitationReader(len(found))
    with contextlib.suppress(ValueError, RecursionError):
        for said in _texts(json.loads(text)):
            reader.feed(f"{said}\n\n")
        reader.end()
    return reader.named


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _queries(messages: Sequence[Message]) -> list[str]:
    """What the user said last, alone and behind what was said before: it may only make sense there."""
    said = [
        text for message in messages if message.get("role") == "user" if (text := text_of(message).strip())
    ]
    return [*said[-1:], *(["\n".join(said[-2:])] if len(said) > 1 else [])]


def _told(found: Sequence[Found]) -> str:
    passages = []
    for number, one in enumerate(found, start=1):
        source = " · ".join(filter(None, [one.passage.document, one.passage.heading]))
        passages.append(f"[{number}] {source}\n{one.passage.text}")
    return "\n\n".join([_ORDER, *passages])


def _citation(number: int, found: Sequence[Found]) -> Citation:
    passage = found[number - 1].passage
    return Citation(number, passage.document, passage.heading, passage.text)
