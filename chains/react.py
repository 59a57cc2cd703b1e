"""ReAct over the model's own tool calls: LangChain's agent calls server tools until the answer stands.

LangChain runs the loop; what is bounded, shown and counted is decided here. A tool's failure goes to the
model and never to the client. The words of all steps are the content, steps apart by a blank line.

A client that brings tools of its own runs the loop itself: it gets one step, whose calls are its to make. A
client that wants a form (JSON) gets it from one more call at the end, which has all that the tools found: a
form that bound the loop would leave no room for calls.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from chains.answer import Answer, ask
from chains.closing import Deadline
from chains.errors import StepsExhausted
from chains.events import ChainRequest, Content, Engine, Event, Finish, Message, Reasoning, Step
from chains.parameters import calls_tools, formats_of, sampling
from chains.sift import sifted
from chains.splitter import Passages
from chains.tools import tool_by_name

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from chains.langchain_model import Ledger

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


class React:
    """The engine and the server tools of the request, in turns, at most ``limits.steps`` of them."""

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Reasoning, Content and Steps as they come, then Finish with the usage of all calls; or Raw."""
        if calls_tools(request.parameters):
            async with aclosing(sifted("react", request, engine)) as answers:
                async for raw in answers:
                    yield raw
            return
        form = formats_of(request.parameters)
        rest = {name: value for name, value in request.parameters.items() if name not in form}
        parameters = sampling("react", rest)
        tools = {name: tool_by_name(name) for name in request.tools}
        await asyncio.to_thread(self.warm)
        from chains.agent import messages_of_run
        from chains.langchain_model import Ledger

        ledger = Ledger(request.limits.steps)
        told, deadline = _Told(silent=bool(form)), Deadline(request.limits.seconds)
        run = messages_of_run(request, parameters, tools, engine, ledger)
        try:
            async with deadline.each(run) as messages:
                async for message in messages:
                    for event in told.events(message):
                        yield event
            for event in told.end():
                yield event
        except StepsExhausted:
            for event in told.unfinished(request.messages, request.limits.steps):
                yield event
            ledger.cut = True
        if form:
            body = {**parameters, **form, "messages": [*request.messages, *_history(told.steps)]}
            async with deadline.each(_formed(body, request.stream, engine, ledger)) as contents:
                async for content in contents:
                    yield content
        yield Finish("length" if ledger.cut else "stop", ledger.usage)

    def warm(self) -> None:
        """Import LangChain and LangGraph, which takes seconds."""
        import chains.agent  # noqa: F401


async def _formed(
    body: dict[str, Any], stream: bool, engine: Engine, ledger: Ledger
) -> AsyncGenerator[Content, None]:
    """The answer in the form that ``body`` asks for; ``ledger`` counts it."""
    answer = Answer()
    async with aclosing(ask(engine, body, stream, answer)) as pieces:
        async for piece in pieces:
            if piece.content:
                yield Content(piece.content)
    ledger.usage += answer.usage
    ledger.cut = ledger.cut or answer.reason == "length"


def _history(steps: Sequence[Step]) -> Iterator[Message]:
    """The calls of a run and their results, one after the other."""
    for index, step in enumerate(steps):
        function = {"name": step.tool, "arguments": json.dumps(step.arguments, ensure_ascii=False)}
        call = {"id": f"call_{index}", "type": "function", "function": function}
        yield {"role": "assistant", "content": None, "tool_calls": [call]}
        result = step.result if step.error is None else step.error
        yield {"role": "tool", "tool_call_id": call["id"], "name": step.tool, "content": result or ""}


class _Told:
    """Turns the run's messages into events, and keeps the words of different steps apart.

    ``silent``: the words are not told, only what is reasoned and done.
    """

    def __init__(self, silent: bool) -> None:
        self.steps: list[Step] = []
        self._silent = silent
        self._content = Passages()
        self._reasoning = Passages()
        self._message: str | None = None  # id of the message that is being told

    def events(self, message: BaseMessage) -> Iterator[Event]:
        if message.type == "tool":
            step = getattr(message, "artifact", None)
            if isinstance(step, Step):
                self.steps.append(step)
                yield step
            return
        if message.id != self._message:
            if self._message is not None:
                self._break_off()
            self._message = message.id
        if reasoning := self._reasoning.add(message.additional_kwargs.get("reasoning_content", "")):
            yield Reasoning(reasoning)
        if (content := self._content.add(message.text)) and not self._silent:
            yield Content(content)

    def end(self) -> Iterator[Event]:
        if (tail := self._content.end()) and not self._silent:
            yield Content(tail)

    def unfinished(self, conversation: Sequence[Message], steps: int) -> Iterator[Event]:
        """An honest end where the bound on steps cut the run."""
        if self._silent:
            return
        self._break_off()
        asked = [str(message.get("content")) for message in conversation if message.get("role") == "user"]
        chinese = bool(asked) and _CHINESE.search(asked[-1])
        text = (
            f"抱歉，我在{steps}个步骤内没能完成这个请求。"
            if chinese
            else f"Sorry, I could not finish this within {steps} steps."
        )
        yield Content(self._content.add(text))

    def _break_off(self) -> None:
        self._content.break_off()
        self._reasoning.break_off()
