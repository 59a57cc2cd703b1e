"""The engine as a LangChain chat model: what it is told and what it says, in langchain_core's classes.

Messages of the client go back to the engine as they came, and tools as they are described; LangChain's
own conversions see only what a run adds. Imported when the react chain first runs.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel, agenerate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ChatMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.messages.utils import convert_to_openai_messages
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable

from chains.answer import Answer, Call, Piece, ask
from chains.dialects import NAMELESS, UNREADABLE, Dialect, Reading
from chains.errors import ContextFull, StepsExhausted
from chains.events import Message
from chains.ledger import Ledger
from chains.purpose import Meant

REASONING = "reasoning_content"
_SAID = "said"  # an answer as the model is to see it later, where that is not its content and its calls
_GIVEN = "given"


def given(messages: Sequence[Message]) -> list[BaseMessage]:
    """The client's messages, wrapped for the way through LangChain."""
    return [
        ChatMessage(role=str(message.get("role")), content="", additional_kwargs={_GIVEN: message})
        for message in messages
    ]


def to_openai(messages: Sequence[BaseMessage]) -> list[Message]:
    """The messages in OpenAI's form; those of :func:`given` as they came."""
    result: list[Message] = []
    for message in messages:
        original = message.additional_kwargs.get(_GIVEN)
        said = message.additional_kwargs.get(_SAID)
        if said is not None:
            original = {"role": "assistant", "content": said}
        converted = original if original is not None else convert_to_openai_messages(message)
        result.append(dict(converted))
    return result


class EngineChatModel(BaseChatModel):
    """One run's model: asks ``engine`` with ``parameters`` and writes what it costs into ``ledger``."""

    engine: Any  # chains.events.Engine, which pydantic can't check
    parameters: dict[str, Any]
    ledger: Any  # Ledger; not copied by pydantic
    dialect: Any  # chains.dialects.Dialect
    cache: bool = False

    @property
    def _llm_type(self) -> str:
        return "pointsman-engine"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        """Bind ``tools``, which are OpenAI's dicts already, word for word."""
        extra = {"tool_choice": tool_choice} if tool_choice else {}
        return self.bind(tools=list(tools), **extra, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("the engine is asynchronous; use ainvoke or astream")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        async with aclosing(self._chunks(messages, stop, False, kwargs)) as chunks:
            return await agenerate_from_stream(chunks)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with aclosing(self._chunks(messages, stop, True, kwargs)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, stream: bool, extra: Mapping[str, Any]
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        """One turn. Behind nothing but failures it comes whole, and only if it calls a tool.

        Raises:
            StepsExhausted: no call is left for it.
            ToolGivenUp: tools were called, none gave a result, and the model answers all the same.
            ResultsTooLong: what tools answered does not fit the model.
        """
        ledger: Ledger = self.ledger
        asked, failures = to_openai(messages), ledger.failures
        first = sum(_GIVEN in message.additional_kwargs for message in messages)
        again = False  # it is the turn behind an answer that was dropped
        while True:
            held: list[ChatGenerationChunk] = []
            told = ledger.kept.told(asked, first)
            try:
                async with aclosing(self._turn(told, stop, stream, extra, again=again)) as chunks:
                    async for chunk in chunks:
                        if failures.all_failed:
                            held.append(chunk)
                        else:
                            yield chunk
            except ContextFull as exc:
                ledger.calls -= 1  # it was no answer
                await ledger.kept.lower(asked, first, exc, ledger.most, partial(self._tokens, extra))
                continue
            if not failures.all_failed or _calls_in(held[-1]):
                break
            said = "".join(chunk.text for chunk in held)
            failures.dropped.append(said)
            if failures.final or ledger.spent or ledger.written_out:
                raise failures.given_up()
            failures.asked_again = again = True
            before = held[-1].message.additional_kwargs.get(_SAID) or said
            asked += [{"role": "assistant", "content": before}] if before else []
            asked.append({"role": "user", "content": failures.hint()})
            extra = {**extra, "tools": failures.mendable(extra.get("tools") or ())}
        for chunk in held:
            yield chunk

    async def _tokens(self, extra: Mapping[str, Any], messages: list[Message]) -> int | None:
        """How many tokens the prompt of ``messages`` has; None: more than the model reads."""
        body = {**self.parameters, **extra, "messages": messages}
        of_answer = ("max_completion_tokens", "min_tokens", "stop")
        body = {name: value for name, value in body.items() if name not in of_answer}
        dialect: Dialect = self.dialect
        engine, answer = Meant(self.engine, "trial"), Answer()
        try:
            async with aclosing(
                ask(engine, {**dialect.asked(body), "max_tokens": 1}, False, answer)
            ) as pieces:
                async for _ in pieces:
                    pass
        except ContextFull:
            return None
        self.ledger.trials += answer.usage
        return answer.usage.prompt_tokens

    async def _turn(
        self,
        messages: Sequence[Message],
        stop: list[str] | None,
        stream: bool,
        extra: Mapping[str, Any],
        *,
        again: bool,
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        ledger: Ledger = self.ledger
        if ledger.spent:
            raise StepsExhausted
        ledger.calls += 1
        engine = Meant(self.engine, f"turn {ledger.calls}{': second chance' if again else ''}")
        body = {**self.parameters, **ledger.left, **extra, "messages": list(messages)}
        if stop:
            body["stop"] = stop
        dialect: Dialect = self.dialect
        answer, reading = Answer(), dialect.reading(body)
        stops = body.pop("stop", None) is not None  # ours to apply: the engine would stop inside a call too
        try:
            asked = ask(
                engine,
                dialect.asked(body),
                stream or stops,  # a whole answer would come too late
                answer,
                count_along=dialect.leaves_early or stops,
            )
            async with aclosing(asked) as pieces:
                async for piece in pieces:
                    for chunk in _text_chunks(piece, reading):
                        yield chunk
                    if reading.done:
                        break
            for chunk in _text_chunks(None, reading):
                yield chunk
        finally:
            ledger.usage += answer.usage
        ledger.cut = not reading.done and (answer.reason == "length" or reading.cut)
        answer.calls = reading.calls(answer.calls, ledger.cut)
        if again:  # the model may call from memory what it was not shown
            shown = {tool["function"]["name"] for tool in body["tools"]}
            answer.calls = [call for call in answer.calls if call.name in {*shown, NAMELESS}]
        if answer.calls and ledger.written_out:  # nothing could be said of their results
            answer.calls, ledger.cut = [], True
        yield _last_chunk(answer, ledger.calls, reading.said)


def _text_chunks(piece: Piece | None, reading: Reading) -> list[ChatGenerationChunk]:
    """The chunks for a piece of text, or (None) for what was held back."""
    chunks = []
    if piece and piece.reasoning:
        chunks.append(_chunk("", piece.reasoning))
    for part in reading.feed(piece.content) if piece else reading.end():
        chunks.append(_chunk("", part.text) if part.kind == "reasoning" else _chunk(part.text, ""))
    return chunks


def _chunk(content: str, reasoning: str) -> ChatGenerationChunk:
    extra = {REASONING: reasoning} if reasoning else {}
    return ChatGenerationChunk(message=AIMessageChunk(content=content, additional_kwargs=extra))


def _calls_in(chunk: ChatGenerationChunk) -> bool:
    return isinstance(chunk.message, AIMessageChunk) and bool(chunk.message.tool_call_chunks)


def _last_chunk(answer: Answer, step: int, said: str | None) -> ChatGenerationChunk:
    """Tool calls go out whole: LangChain would complete half a call by guessing its end."""
    usage = answer.usage
    ids: set[str] = set()
    calls = []
    for index, call in enumerate(answer.calls):
        name = call.id if call.id and call.id not in ids else f"call_{step}_{index}"
        ids.add(name)
        calls.append(tool_call_chunk(name=call.name, args=_arguments(call), id=name, index=index))
    message = AIMessageChunk(
        content="",
        additional_kwargs={} if said is None else {_SAID: said},
        tool_call_chunks=calls,
        usage_metadata={
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        },
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message, generation_info={"finish_reason": answer.reason})


def _arguments(call: Call) -> str:
    try:
        value = json.loads(call.arguments or "{}")
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        value = {UNREADABLE: call.arguments}
    return json.dumps(value, ensure_ascii=False)
