"""A call that can't be read, asked for once more under ``tool_choice: required``, and what that costs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.counted import DETAILS, reasoned_in
from chains.events import Engine
from chains.purpose import Meant
from chains.sse import json_object
from service.errors import EngineRefused
from service.written import is_readable

log = logging.getLogger("pointsman.calls")

_NOT_AGAIN = ("stream", "stream_options", "n", "stop")  # of a body, where it is asked once more


@dataclass(slots=True)
class Again:
    """What a second try gave, and what it cost."""

    calls: Sequence[dict[str, Any]] = ()
    prompt: int = 0
    completion: int = 0
    reasoned: int = 0  # of the completion, as far as the engine counts it

    def add(self, other: Again) -> None:
        """Count the cost of another try."""
        self.prompt += other.prompt
        self.completion += other.completion
        self.reasoned += other.reasoned

    def add_to(self, answer: dict[str, Any]) -> None:
        """Count the cost in."""
        if (usage := answer.get("usage")) and self.prompt:
            usage["prompt_tokens"] += self.prompt
            usage["completion_tokens"] += self.completion
            usage["total_tokens"] += self.prompt + self.completion
            if (reasoned := reasoned_in(usage)) is not None:
                usage[DETAILS]["reasoning_tokens"] = reasoned + self.reasoned


async def asked_again(engine: Engine, body: Mapping[str, Any]) -> Again:
    """The calls of one choice under ``required``; none where the engine can't do that.

    A ``stop`` is about the content, and there is none.
    """
    asked = {key: value for key, value in body.items() if key not in _NOT_AGAIN} | {"stream": False}
    if is_auto(body):
        asked["tool_choice"] = "required"
    try:
        answer = json_object(await Meant(engine, "call again").complete(asked))
    except EngineRefused as exc:
        log.warning("a call that can't be read can't be asked for again: %s", exc)
        return Again()
    usage, choices = answer.get("usage") or {}, answer.get("choices") or []
    calls = choices[0]["message"].get("tool_calls") or [] if choices else []
    told = calls if all(map(is_readable, calls)) else []
    read, written = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    return Again(told, read, written, reasoned_in(usage) or 0)


def is_auto(body: Mapping[str, Any]) -> bool:
    """Whether vLLM looks for calls in the text: under other choices the model may write only calls."""
    return body.get("tool_choice") in (None, "auto")
