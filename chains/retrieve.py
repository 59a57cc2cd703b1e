"""Answers from documents: what is near to the question is found first, and the answer cites it.

Where nothing is near enough, the chain says that it does not know and asks no model, but for one token where
the request has options that only the engine can check. The model reads the
passages under numbers and is told to name them; the passages that it named are given back beside the answer.
It answers as in the chain ``cot``: what it reasons is kept apart.

A model may be too small to read passages and to cite them. For such a one ``answer: quote`` gives the
nearest paragraph word for word, cited, and asks no model: it can be the wrong one, but is never made up.

A client that brings tools of its own runs the loop itself: its step has the passages in its prompt, and
nothing near is no reason to stop.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from chains.citations import CitationReader
from chains.closing import Deadline
from chains.cot import Cot
from chains.errors import ChainError
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
    Usage,
)
from chains.index import Found, PassageIndex
from chains.messages import in_chinese, text_of, with_system
from chains.options import Folder
from chains.parameters import calls_tools, sampling, token_bounds
from chains.passages import may_hold
from chains.resources import Resources
from chains.stop import StopAt, stops_of
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
            ChainUnsupported: more than one text is asked for.
        """
        stepping = calls_tools(request.parameters)
        if not stepping:
            sampling("retrieve", request.parameters)
        deadline = Deadline(request.limits.seconds)
        found = await deadline.wait(asyncio.to_thread(self._search, _queries(request.messages)))
        shown = [
            {"document": one.passage.document, "heading": one.passage.heading, "score": round(one.score, 4)}
            for one in found
        ]
        yield Note("search", {"found": shown})
        quotes = self._options.answer == "quote"
        if not stepping and (quotes or not found):
            await deadline.wait(_tried(request, engine))
        if not found and not stepping:
            for event in _own(request, _UNKNOWN_ZH if in_chinese(request.messages) else _UNKNOWN, ()):
                yield event
            return
        if quotes and not stepping:
            for event in _own(request, f"{found[0].paragraph} [1]", (_citation(1, found),)):
                yield event
            return
        reader = CitationReader(len(found))
        messages = with_system(request.messages, _told(found)) if found else request.messages
        asked = replace(request, messages=messages)
        async with deadline.each(self._answering.run(asked, engine)) as events:
            async for event in events:
                if isinstance(event, Content):
                    if text := reader.feed(event.text):
                        yield Content(text)
                    continue
                if isinstance(event, Finish):
                    if tail := reader.end():
                        yield Content(tail)
                    yield Citations(tuple(_citation(number, found) for number in reader.named))
                yield event

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


async def _tried(request: ChainRequest, engine: Engine) -> None:
    """Have the engine refuse what only it can: where a model answers, it does so by itself."""
    parameters = sampling("retrieve", request.parameters)
    if any(parameters.get(name) is not None for name in _ENGINES):
        bounds = dict.fromkeys(token_bounds(parameters))
        kept = {name: value for name, value in parameters.items() if name not in bounds}
        await engine.complete({**kept, "messages": list(request.messages), "max_tokens": 1, "stream": False})


def _own(request: ChainRequest, text: str, cited: tuple[Citation, ...]) -> Iterator[Event]:
    """An answer that no model makes, up to the client's ``stop``; ``cited`` if it gets to its end.

    The client's bound on tokens is not kept: nothing here knows what is one.
    """
    stop = StopAt(stops_of(request.parameters))
    if said := stop.feed(text) + stop.end():
        yield Content(said)
    yield Citations(() if stop.reached else cited)
    yield Finish("stop", Usage())


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
