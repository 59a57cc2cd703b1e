"""The engine's own answer with its reasoning taken out of the content, in every choice of it.

For what events can't say: several choices, log-probabilities, the client's own tools, a format. All else of
the answer passes as the engine gave it, and a whole answer is read as a stream of one piece, so the two can't
differ. The client's ``stop`` is about the content, so it is applied here and not by the engine; a whole
answer is then gathered from a stream, which ends where the text does, and costs what it does streamed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from chains.closing import Deadline, closing
from chains.counted import ALONG, Counted
from chains.errors import ChainUnsupported, EngineAnswerError
from chains.events import ChainRequest, Engine, Raw
from chains.gathered import Gathered
from chains.joined import JoinedTokens, wants_joined
from chains.logprobs import ContentTokens
from chains.parameters import formats_of
from chains.splitter import TAGS, Kind, Splitter, goes_on_thinking
from chains.sse import DONE, EventReader, dumped, json_object, sent
from chains.stop import StopAt, stops_of

_APART: tuple[Kind, ...] = ("reasoning",)
_WHOLE_ONLY = ("prompt_logprobs", "use_beam_search")  # what vLLM streams no answer with


async def sifted(chain: str, request: ChainRequest, engine: Engine) -> AsyncGenerator[Raw, None]:
    """The answer to ``request`` with what is reasoned as ``reasoning_content`` and in no content.

    The log-probabilities are those of the content's tokens.

    Raises:
        ChainUnsupported: the tokens would come as numbers, in which no tag can be found; the stop string,
            which is cut off here, is to stay.
        EngineAnswerError: the engine reports an error, or its answer is not of OpenAI's form.
    """
    parameters = request.parameters
    if parameters.get("logprobs") and parameters.get("return_tokens_as_token_ids"):
        raise ChainUnsupported(chain, "return_tokens_as_token_ids", True)
    answers = stopped(chain, request, engine, apart=True)
    async with Deadline(request.limits.seconds).each(answers) as pieces:
        async for raw in pieces:
            yield raw


async def stopped(
    chain: str, request: ChainRequest, engine: Engine, *, apart: bool
) -> AsyncGenerator[Raw, None]:
    """The answer to ``request`` up to the client's ``stop`` in its content; a stop in a call is none.

    With ``apart`` the reasoning is taken out of the content, and is not stopped.

    Raises:
        ChainUnsupported: the stop string, which is cut off here, is to stay.
        EngineAnswerError: the engine reports an error, or its answer is not of OpenAI's form.
    """
    parameters = request.parameters
    if stops_of(parameters) and parameters.get("include_stop_str_in_output"):
        raise ChainUnsupported(chain, "include_stop_str_in_output", True)
    if request.stream:
        async with aclosing(_chunks(request, engine, apart)) as pieces:
            async for chunks in pieces:
                yield Raw(b"".join(map(sent, chunks)))
        yield Raw(DONE)
    elif stops_of(parameters) and not any(parameters.get(name) for name in _WHOLE_ONLY):
        yield Raw(dumped(await _gathered(request, engine, apart)))
    else:
        yield Raw(dumped(await _whole(request, engine, apart)))


async def _whole(request: ChainRequest, engine: Engine, apart: bool) -> dict[str, Any]:
    body = {key: value for key, value in request.parameters.items() if key != "stop"}
    answer = json_object(await engine.complete({**body, "messages": list(request.messages), "stream": False}))
    Sift(request, apart).take(_with_choices(answer))
    return answer


async def _gathered(request: ChainRequest, engine: Engine, apart: bool) -> dict[str, Any]:
    parameters = {**request.parameters, "stream_options": ALONG}
    gathered = Gathered()
    async with aclosing(_chunks(replace(request, parameters=parameters), engine, apart)) as pieces:
        async for chunks in pieces:
            for chunk in chunks:
                gathered.add(chunk)
    return _with_choices(gathered.answer())


def _with_choices(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer.get("choices"):
        raise EngineAnswerError("the engine's answer holds no choice")
    return answer


async def _chunks(
    request: ChainRequest, engine: Engine, apart: bool
) -> AsyncGenerator[list[dict[str, Any]], None]:
    """The chunks of a stream that are left to send, as they come."""
    parameters = request.parameters
    body = {**parameters, "messages": list(request.messages), "stream": True}
    if body.pop("stop", None) is not None:  # the stream may be left early: the usage must be known along it
        body["stream_options"] = ALONG
    sift, reader = Sift(request, apart), EventReader()
    async with closing(engine.stream(body)) as source:
        async for data in source:
            chunks: list[dict[str, Any]] = []
            for chunk in reader.feed(data):
                if not sift.stopped and sift.take(chunk):
                    chunks.append(chunk)
            if chunks:
                yield chunks
            if sift.stopped:
                break
        else:
            reader.end()
    if (usage := sift.counted.owed()) is not None:
        yield [usage]


class Sift:
    """Changes the chunks of one answer in place; ``apart``: the reasoning leaves the content."""

    def __init__(self, request: ChainRequest, apart: bool) -> None:
        self.counted = Counted(request.parameters)
        self._request = request
        self._apart = apart
        self._choices: dict[int, _Choice] = {}

    @property
    def stopped(self) -> bool:
        """Whether every choice is at its end, one at least by a stop string of ours."""
        choices = self._choices.values()
        return (
            len(choices) >= (self._request.parameters.get("n") or 1)
            and all(choice.ended for choice in choices)
            and any(choice.stop.reached for choice in choices)
        )

    def take(self, chunk: dict[str, Any]) -> bool:
        """Change ``chunk``, or a whole answer; False: nothing of it is left to send.

        Raises:
            EngineAnswerError: it is not of OpenAI's form.
        """
        try:
            choices = chunk["choices"]
            if not choices:  # the usage of a stream
                return self.counted.tells()
            if not self._is_over(choices[0]):  # the engine writes on behind a stop string
                self.counted.take(chunk)
            chunk["choices"] = [choice for choice in choices if self._keeps(choice)]
        except (AttributeError, KeyError, TypeError) as exc:
            raise EngineAnswerError("the engine's answer is not a chat completion") from exc
        return bool(chunk["choices"])

    def _is_over(self, choice: Mapping[str, Any]) -> bool:
        known = self._choices.get(choice["index"])
        return known is not None and known.ended

    def _keeps(self, choice: dict[str, Any]) -> bool:
        index = choice["index"]
        if index not in self._choices:
            self._choices[index] = _Choice(self._request, self._apart)
        return self._choices[index].take(choice)


class _Choice:
    """One choice of the answer."""

    def __init__(self, request: ChainRequest, apart: bool) -> None:
        self.stop = StopAt(stops_of(request.parameters))
        self.ended = False
        self._apart = apart
        self._guided = bool(formats_of(request.parameters))
        self._splitter = Splitter("reasoning", guided=self._guided)
        self._tokens = ContentTokens(*_APART if apart else (), guided=self._guided)
        self._joined = JoinedTokens()
        if not wants_joined(request.parameters):
            self._joined.give_all()
        self._reasons = request.parameters.get("include_reasoning") is not False
        if goes_on_thinking(request.parameters, request.messages):
            opening = TAGS["reasoning"][0]
            self._splitter.feed(opening)
            self._tokens.feed([{"token": opening}])

    def take(self, choice: dict[str, Any]) -> bool:
        """Change what the engine says of the choice; False: nothing is left of it."""
        if self.ended:
            return False
        said = choice["delta"] if "delta" in choice else choice["message"]
        self.ended = choice.get("finish_reason") is not None
        content = self._content(said)
        if self.stop.reached:
            said.pop("tool_calls", None)  # they come behind the content
        if content or "message" in choice or "role" in said:
            said["content"] = content if content or not said.get("tool_calls") else None
        elif "content" in said and not said.get("tool_calls"):
            del said["content"]
        kept = self._logprobs(choice, content)
        if self.stop.reached:
            self.ended, choice["finish_reason"] = True, "stop"
        elif (
            self._apart
            and not self._guided  # whose end is that of its form
            and choice.get("finish_reason") == "stop"
            and self._splitter.unclosed is not None
        ):
            choice["finish_reason"] = "length"  # the answer itself never came
        return bool(said or kept or choice.get("token_ids")) or self.ended

    def _content(self, said: dict[str, Any]) -> str:
        """What of the content is known now, up to the stop; what was reasoned in it goes to its own field."""
        texts = [said.get("content") or ""]
        is_all = self.ended or bool(said.get("tool_calls"))
        if self._apart:
            parts = self._splitter.feed(texts[0]) + (self._splitter.end() if is_all else [])
            texts = [part.text for part in parts if part.kind == "content"]
            reasoned = [part.text for part in parts if part.kind == "reasoning"]
            reasoning = "".join([said.pop("reasoning", None) or "", *reasoned])
            if reasoning and self._reasons:
                said["reasoning_content"] = reasoning
        content = "".join(map(self.stop.feed, texts))
        return content + self.stop.end() if is_all else content

    def _logprobs(self, choice: dict[str, Any], content: str) -> bool:
        """Keep those of the ``content``; whether there are any."""
        found, ended = choice.get("logprobs") or {}, self.ended or self.stop.reached
        kept = self._tokens.feed(found["content"]) if found.get("content") else []
        if ended:
            kept += self._tokens.end()
        kept = self._joined.take(kept, content, ended=ended)
        if found or kept:
            choice["logprobs"] = {**found, "content": kept} if kept or "message" in choice else None
        return bool(kept)
