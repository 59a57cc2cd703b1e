"""A whole answer out of the chunks of a stream: what they say of each choice, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_OF_ALL = ("id", "created", "model", "system_fingerprint", "prompt_token_ids", "prompt_text")
_TEXTS = ("content", "reasoning_content", "reasoning")
_LISTS = ("token_ids",)  # of a choice, what comes piece by piece beside its delta


class Gathered:
    """Feed it the chunks of one chat completion; ``usage`` is that of the last chunk that has one."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._usage: Mapping[str, Any] | None = None
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Mapping[str, Any]) -> None:
        """Take in the next chunk."""
        for name in _OF_ALL:
            if chunk.get(name) is not None:
                self._head[name] = chunk[name]
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk["choices"]:
            self._add_to(self._choices.setdefault(choice["index"], {"said": {}}), choice)

    def answer(self) -> dict[str, Any]:
        """The chat completion; without any choice if no chunk had one."""
        choices = [_whole(index, found) for index, found in sorted(self._choices.items())]
        usage = {} if self._usage is None else {"usage": dict(self._usage)}
        return {**self._head, "object": "chat.completion", "choices": choices, **usage}

    def _add_to(self, known: dict[str, Any], choice: Mapping[str, Any]) -> None:
        said, delta = known["said"], choice["delta"]
        for name in _TEXTS:
            if delta.get(name):
                said[name] = said.get(name, "") + delta[name]
        _add_calls(said.setdefault("tool_calls", []), delta.get("tool_calls") or ())
        for name in _LISTS:
            if choice.get(name) is not None:
                known[name] = [*known.get(name, ()), *choice[name]]
        if entries := (choice.get("logprobs") or {}).get("content"):
            known["logprobs"] = {
                "content": [*(known.get("logprobs") or {"content": ()})["content"], *entries]
            }
        for name in ("finish_reason", "stop_reason"):
            if choice.get(name) is not None:
                known[name] = choice[name]


def _add_calls(known: list[dict[str, Any]], pieces: Iterable[Mapping[str, Any]]) -> None:
    for position, piece in enumerate(pieces):
        index, function = piece.get("index", position), piece.get("function") or {}
        while len(known) <= index:
            known.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        call = known[index]
        call["id"] = call["id"] or piece.get("id") or ""
        call["function"]["name"] = call["function"]["name"] or function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""


def _whole(index: int, found: dict[str, Any]) -> dict[str, Any]:
    said = found.pop("said")
    calls = said.pop("tool_calls")
    message = {"role": "assistant", "content": None if calls else "", "refusal": None, **said}
    if calls:
        message["tool_calls"] = calls
    return {"index": index, "message": message, "logprobs": None, "finish_reason": None, **found}
