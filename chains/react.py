"""ReAct: LangChain's agent calls server tools until the answer stands.

The model asks for tools by its own tool calls, or in written form (Thought, Action, Action Input) where it
has none: the route's ``dialect`` says which. A written thought is reasoning; what follows ``Final Answer`` is
the content.

LangChain runs the loop; what is bounded, shown and counted is decided here. A tool's failure goes to the
model; a client sees it only in the trace that it asks for. Where no tool gave a result, the model's answer is
not given out: it is asked once more, then the chain itself says what failed. The words of all steps are the
content, steps apart by a blank line. ``max_tokens`` bounds all that a run writes; a call that it cuts off is
not made.

A client that brings tools of its own runs the loop itself: it gets one step, whose calls are its to make. A
client that wants a form (JSON) gets it from one more call at the end, which has all that the tools found: a
form that bound the loop would leave no room for calls. JSON is validated, and asked for once more if it does
not fit its schema. Where no tool gave a result there is nothing to fill a form with: the answer is a refusal
in words. A form that the engine refuses is refused before any tool runs (:mod:`chains.trial`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal

from chains.answer import Answer, ask
from chains.clipped import clipped
from chains.closing import Deadline
from chains.dialects import Calls, Dialect, Written
from chains.errors import ResultsTooLong, StepsExhausted, Unanswered
from chains.events import (
    ChainRequest,
    Content,
    Engine,
    Event,
    Finish,
    Message,
    Reasoning,
    Refusal,
    Step,
    Usage,
)
from chains.fitted import Kept
from chains.form import Cost, asked_schema, formed
from chains.last_words import last_words
from chains.ledger import Ledger
from chains.loosened import LoosenedTools
from chains.parameters import calls_tools, formats_of, sampling, token_bounds
from chains.purpose import Meant
from chains.sift import sifted
from chains.splitter import Part, Splitter
from chains.stop import StopAt, stops_of
from chains.told import Told
from chains.tool_sources import SourcedTools, ToolSources, by_name
from chains.tools import tool_by_name
from chains.trial import tried

if TYPE_CHECKING:
    from chains.resources import Resources

_JSON = ("json", "json_object")  # of structured_outputs
_TRIES = 2  # calls for the form of the answer


class ReactOptions(ToolSources):
    """How the model asks for tools, and where some of them come from."""

    dialect: Literal["calls", "written"] = "calls"


class React:
    """The engine and the server tools of the request, at most ``limits.steps`` calls of the engine in all.

    The one token by which a form is tried is none of them, but in the usage.
    """

    Options = ReactOptions

    def __init__(self, options: ReactOptions | None = None) -> None:
        options = options or ReactOptions()
        self.sources: ToolSources = options
        self._sourced = SourcedTools(options)
        self._dialect: Dialect = Written() if options.dialect == "written" else Calls()

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Reasoning, Content and Steps as they come, then Finish with the usage of all calls; or Raw.

        Raises:
            ToolServerDown: a server whose tools the route names can't be reached.
            Refused: the engine does not take the form, or one of the calls.
        """
        if calls_tools(request.parameters):
            async with aclosing(sifted("react", request, engine)) as answers:
                async for raw in answers:
                    yield raw
            return
        form = formats_of(request.parameters)
        rest = {name: value for name, value in request.parameters.items() if name not in form}
        schema = asked_schema("react", form) if _is_json(form) else None
        parameters = sampling("react", rest)
        deadline = Deadline(request.limits.seconds)
        tools = by_name([*map(tool_by_name, request.tools), *await deadline.wait(self._sourced.now())])
        await asyncio.to_thread(_import)
        from chains.agent import messages_of_run

        of_loop = request.limits.steps - bool(form)  # the last call is the form's
        ledger = Ledger(of_loop, token_bounds(parameters))
        trial = await deadline.wait(tried(form, engine)) if form and tools and of_loop else Usage()
        ledger.trials += trial
        loosened = LoosenedTools(engine)
        run = messages_of_run(request, parameters, tools, loosened, ledger=ledger, dialect=self._dialect)
        told = Told(stops_of(parameters), silent=bool(form), counts=self._dialect.marks_reasoning)
        ended: Unanswered | None = None
        try:
            if of_loop:
                async with deadline.each(run) as messages:
                    async for message in messages:
                        for event in told.events(message):
                            yield event
        except Unanswered as exc:
            ended = exc
            words = last_words(request, exc)
            left = await deadline.wait(clipped("react", words, request.parameters, engine))
            for event in told.broken_off(left):
                yield event
            ledger.cut = ledger.cut or isinstance(exc, StepsExhausted) if form else left != words
        notes = ledger.failures.note(), ledger.kept.note(), loosened.note()
        for event in (*told.end(), *filter(None, notes)):
            yield event
        ledger.cut = ledger.cut and not told.stopped
        if form and (why := _without_form(request, ended, ledger, told)) is not None:
            left = await deadline.wait(clipped("react", why, request.parameters, engine))
            ledger.cut = left != why or (ledger.cut and why == told.said.strip())
            for event in _refused(left, stops_of(parameters), ledger):
                yield event
        elif form and not ledger.written_out:
            asked = form if schema is None else {}
            history = [*request.messages, *_history(told.steps, ledger.kept)]
            body = {**self._dialect.asked({**parameters, **ledger.left, "messages": history}), **asked}
            cost, forming = Cost(), Meant(engine, "form")
            answer = (
                formed(schema, body, forming, min(_TRIES, request.limits.steps - ledger.calls), cost)
                if schema is not None
                else _said(body, request.stream, forming, cost)
            )
            async with deadline.each(answer) as events:
                async for event in events:
                    yield event
            ledger.usage += cost.usage
            ledger.cut = ledger.cut or cost.cut
        yield Finish("length" if ledger.cut else "stop", told.usage(ledger.trials + ledger.usage))

    def warm(self, resources: Resources) -> None:
        """Import LangChain and LangGraph, which takes seconds, and ask servers for their tools."""
        _import()
        self._sourced.ask()

    @property
    def missing(self) -> str | None:
        """What the chain waits for: a server that is down."""
        return self._sourced.missing


def _import() -> None:
    import chains.agent  # noqa: F401


def _is_json(form: Mapping[str, Any]) -> bool:
    """Whether ``form`` asks for JSON, which can be validated; others are the engine's to keep."""
    wanted = form.get("structured_outputs")
    return bool(form) and (not isinstance(wanted, dict) or not wanted.keys().isdisjoint(_JSON))


def _without_form(request: ChainRequest, ended: Unanswered | None, ledger: Ledger, told: Told) -> str | None:
    """Why there is nothing that a form could be filled with, in words; None: there is.

    Where the run ended with an answer of the model, it may ask the user for what a call lacked.
    """
    if ended is not None:
        readable = ledger.failures.found and not isinstance(ended, ResultsTooLong)
        return None if readable else last_words(request, ended)
    if not ledger.failures.without_result:
        return None
    return told.said.strip() or last_words(request, ledger.failures.given_up())


def _refused(words: str, stops: list[str], ledger: Ledger) -> Iterator[Event]:
    """The refusal up to the client's ``stops``; none where nothing stands before one."""
    stop = StopAt(stops)
    refusal = stop.feed(words) + stop.end()
    ledger.cut = ledger.cut and not stop.reached
    if refusal:
        yield Refusal(refusal)


async def _said(
    body: dict[str, Any], stream: bool, engine: Engine, cost: Cost
) -> AsyncGenerator[Event, None]:
    """The answer in a form that the engine alone can keep, as it comes."""
    answer, splitter = Answer(), Splitter("reasoning", guided=True)
    async with aclosing(ask(engine, body, stream, answer)) as pieces:
        async for piece in pieces:
            if piece.reasoning:
                yield Reasoning(piece.reasoning)
            for part in splitter.feed(piece.content):
                yield _event_of(part)
    for part in splitter.end():
        yield _event_of(part)
    cost.usage, cost.cut = answer.usage, answer.reason == "length"


def _event_of(part: Part) -> Event:
    return Reasoning(part.text) if part.kind == "reasoning" else Content(part.text)


def _history(steps: Sequence[Step], kept: Kept) -> Iterator[Message]:
    """The calls of a run and their results, one after the other."""
    for index, step in enumerate(steps):
        function = {"name": step.tool, "arguments": json.dumps(step.arguments, ensure_ascii=False)}
        call = {"id": f"call_{index}", "type": "function", "function": function}
        yield {"role": "assistant", "content": None, "tool_calls": [call]}
        result = step.result if step.error is None else step.error
        yield {
            "role": "tool",
            "tool_call_id": call["id"],
            "name": step.tool,
            "content": kept.of(result or ""),
        }
