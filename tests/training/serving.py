"""A small model behind the API that evaluation asks: log-probabilities of a prompt, as vLLM gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from tests.pointsman.canned import Reply

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def models(*names: str) -> dict[str, Any]:
    """What ``GET /v1/models`` answers."""
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def echoing(model: Any) -> Answer:
    """``POST /v1/completions`` with ``echo`` and ``logprobs``: of the prompt, and of one greedy token."""

    def complete(body: dict[str, Any]) -> dict[str, Any]:
        assert body["echo"]
        assert body["max_tokens"] == 1
        torch.set_num_threads(1)  # of this thread
        with torch.inference_mode():
            found = model(input_ids=torch.tensor([body["prompt"]])).logits[0].float().log_softmax(-1)
        tops, best = found.max(-1)
        tokens = [*body["prompt"][1:], int(best[-1])]
        values = [float(found[i, token]) for i, token in enumerate(tokens)]
        logprobs = {
            "token_logprobs": [None, *values],
            "top_logprobs": [None, *({str(int(b)): float(t)} for t, b in zip(tops, best, strict=True))],
        }
        return {"choices": [{"index": 0, "text": "", "logprobs": logprobs, "finish_reason": "length"}]}

    return complete


def message(content: str = "", *calls: tuple[str, str], finish: str | None = None) -> dict[str, Any]:
    """What ``POST /v1/chat/completions`` answers: a text, or calls with arguments as JSON text."""
    given = [
        {"id": f"c{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(calls)
    ]
    said: dict[str, Any] = {"role": "assistant", "content": content}
    if given:
        said["tool_calls"] = given
    reason = finish or ("tool_calls" if given else "stop")
    return {"choices": [{"index": 0, "message": said, "finish_reason": reason}]}


def server(*names: str, **replies: Reply) -> Mapping[str, Reply]:
    """The answers of a server with these models; ``chat`` and ``completions`` are its endpoints."""
    paths = {"chat": "POST /v1/chat/completions", "completions": "POST /v1/completions"}
    return {"GET /v1/models": models(*names)} | {paths[key]: reply for key, reply in replies.items()}


def every(value: Any, **more: Any) -> Answer:
    """What a server answers that gives every token the log-probability ``value``."""

    def complete(body: dict[str, Any]) -> dict[str, Any]:
        count = len(body["prompt"])
        top = more.get("top", [None, *[{"a": -1.0}] * count])
        logprobs = {"token_logprobs": [None, *[value] * count], "top_logprobs": top}
        return {"choices": [{"text": "a", "logprobs": logprobs}]}

    return complete
