"""The engine's own answer with its reasoning taken out of the content, in every choice of it.

For what events can't say: several choices, log-probabilities, the client's own tools, a format. All else of
the answer passes as the engine gave it, and a whole answer is read as a stream of one piece, so the two can't
differ. The client's ``stop`` is about the content, so it is applied here and not by the engine.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from chains.closing import Deadline, closing
from chains.errors import ChainUnsupported, EngineAnswerError
from chains.events import ChainRequest, Engine, Raw
from chains.logprobs import ContentTokens
from chains.splitter import TAGS, Splitter
from chains.sse import EventReader, json_object
from chains.stop import StopAt, stops_of

_DONE = b"data: [DONE]\n\n"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


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
    if stops_of(parameters) and parameters.get("include_stop_str_in_output"):
        raise ChainUnsupported(chain, "include_stop_str_in_output", True)
    answers = _whole(request, engine) if not request.stream else _streamed(request, engine)
    async with Deadline(request.limits.seconds).each(answers) as pieces:
        async for raw in pieces:
            yield raw


async def _whole(request: ChainRequest, engine: Engine) -> AsyncGenerator[Raw, None]:
    body = {key: value for key, value in request.parameters.items() if key != "stop"}
    answer = json_object(await engine.complete({**body, "messages": list(request.messages), "stream": False}))
    if not answer.get("choices"):
        raise EngineAnswerError("the engine's answer holds no choice")
    Sift(request).take(answer)
    yield Raw(_dump(answer))


async def _streamed(request: ChainRequest, engine: Engine) -> AsyncGenerator[Raw, None]:
    parameters = request.parameters
    body = {**parameters, "messages": list(request.messages), "stream": True}
    if body.pop("stop", None) is not None:  # the stream may be left early: the usage must be known along it
        body["stream_options"] = {"include_usage": True, "continuous_usage_stats": True}
    sift, reader = Sift(request), EventReader()
    async with closing(engine.stream(body)) as source:
        async for data in source:
            chunks = [chunk for chunk in reader.feed(data) if sift.take(chunk)]
            if chunks:
                yield Raw(b"".join(_event(chunk) for chunk in chunks))
            if sift.stopped:
                break
        else:
            reader.end()
    if (usage := sift.owed_usage()) is not None:
        yield Raw(_event(usage))
    yield Raw(_DONE)


class Sift:
    """Changes the chunks of one answer in place."""

    def __init__(self, request: ChainRequest) -> None:
        self._request = request
        self._choices: dict[int, _Choice] = {}
        self._counted: dict[int, tuple[int, int]] = {}  # tokens of the prompt and of each choice
        self._head: dict[str, Any] = {}
        self._told_usage = False
        options = request.parameters.get("stream_options") or {}
        self._usage_at_end = options.get("include_usage") is True
        self._usage_along = options.get("continuous_usage_stats") is True

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
                self._told_usage = self._usage_at_end
                return self._usage_at_end
            self._count(chunk, choices)
            chunk["choices"] = [choice for choice in choices if self._keeps(choice)]
        except (AttributeError, KeyError, TypeError) as exc:
            raise EngineAnswerError("the engine's answer is not a chat completion") from exc
        return bool(chunk["choices"])

    def owed_usage(self) -> dict[str, Any] | None:
        """The usage chunk that the client asked for, of a stream that was left before the engine's came."""
        if self._told_usage or not self._usage_at_end or not self._counted:
            return None
        prompt = max(prompt for prompt, _ in self._counted.values())
        completion = sum(completion for _, completion in self._counted.values())
        usage = {
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
            "completion_tokens": completion,
        }
        return {**self._head, "choices": [], "usage": usage}

    def _count(self, chunk: dict[str, Any], choices: Sequence[Mapping[str, Any]]) -> None:
        if "delta" not in choices[0] or not (usage := chunk.get("usage")):
            return
        self._counted[choices[0]["index"]] = (usage["prompt_tokens"], usage["completion_tokens"])
        self._head = {key: chunk[key] for key in ("id", "object", "created", "model") if key in chunk}
        if not self._usage_along:
            del chunk["usage"]

    def _keeps(self, choice: dict[str, Any]) -> bool:
        index = choice["index"]
        if index not in self._choices:
            self._choices[index] = _Choice(self._request)
        return self._choices[index].take(choice)


class _Choice:
    """One choice of the answer."""

    def __init__(self, request: ChainRequest) -> None:
        self.stop = StopAt(stops_of(request.parameters))
        self.ended = False
        self._splitter = Splitter("reasoning")
        self._tokens = ContentTokens("reasoning")
        self._reasons = request.parameters.get("include_reasoning") is not False
        if _goes_on_thinking(request):
            opening = TAGS["reasoning"][0]
            self._splitter.feed(opening)
            self._tokens.feed([{"token": opening}])

    def take(self, choice: dict[str, Any]) -> bool:
        """Change what the engine says of the choice; False: nothing is left of it."""
        if self.ended:
            return False
        said = choice["delta"] if "delta" in choice else choice["message"]
        self.ended = choice.get("finish_reason") is not None
        content, reasoning = self._split(said.get("content") or "")
        reasoning = (said.pop("reasoning", None) or "") + reasoning
        if content or "message" in choice or "role" in said:
            said["content"] = content if content or not said.get("tool_calls") else None
        elif "content" in said and not said.get("tool_calls"):
            del said["content"]
        if reasoning and self._reasons:
            said["reasoning_content"] = reasoning
        kept = self._logprobs(choice)
        if self.stop.reached:
            self.ended, choice["finish_reason"] = True, "stop"
        elif choice.get("finish_reason") == "stop" and self._splitter.unclosed is not None:
            choice["finish_reason"] = "length"  # the answer itself never came
        return bool(said or kept or choice.get("token_ids")) or self.ended

    def _split(self, text: str) -> tuple[str, str]:
        parts = self._splitter.feed(text)
        if self.ended:
            parts += self._splitter.end()
        content = "".join(self.stop.feed(part.text) for part in parts if part.kind == "content")
        if self.ended:
            content += self.stop.end()
        return content, "".join(part.text for part in parts if part.kind == "reasoning")

    def _logprobs(self, choice: dict[str, Any]) -> bool:
        """Keep those of the content; whether there are any."""
        found = choice.get("logprobs") or {}
        kept = self._tokens.feed(found["content"]) if found.get("content") else []
        if self.ended:
            kept += self._tokens.end()
        if found or kept:
            choice["logprobs"] = {**found, "content": kept} if kept or "message" in choice else None
        return bool(kept)


def _goes_on_thinking(request: ChainRequest) -> bool:
    """Whether the answer begins inside the reasoning of the message that it continues."""
    parameters = request.parameters
    if not parameters.get("continue_final_message") or parameters.get("echo") or not request.messages:
        return False
    text = request.messages[-1].get("content")
    opening, closing_tag = TAGS["reasoning"]
    return isinstance(text, str) and text.rfind(opening) > text.rfind(closing_tag)


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + _dump(chunk) + b"\n\n"


def _dump(value: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(value).encode()
