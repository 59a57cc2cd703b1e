"""The usage of a stream that may be left before the engine tells it: counted along, and told at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DETAILS = "completion_tokens_details"  # of a usage
ALONG = {"include_usage": True, "continuous_usage_stats": True}  # stream_options under which it is known


def reasoned_in(usage: Mapping[str, Any]) -> int | None:
    """The tokens of reasoning that a usage tells of; None: it tells of none."""
    found = (usage.get(DETAILS) or {}).get("reasoning_tokens")
    return found if isinstance(found, int) else None


class Counted:
    """What the chunks of one stream say of their cost; ``parameters`` say what the client asked to see."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        options = parameters.get("stream_options") or {}
        self._at_end = options.get("include_usage") is True
        self._along = options.get("continuous_usage_stats") is True
        self._prompt: int | None = None  # tokens, before any choice was asked for again
        self._choices: dict[int, tuple[int, int]] = {}  # tokens of the prompt and of each choice
        self._reasoned: dict[int, int] = {}  # tokens of the reasoning of each choice
        self._head: dict[str, Any] = {}
        self._told = False

    def take(self, chunk: dict[str, Any]) -> None:
        """Count a chunk with a choice, whose usage goes where the client does not want it."""
        choice = chunk["choices"][0]
        if "delta" not in choice or not (usage := chunk.get("usage")):
            return
        cost = (usage["prompt_tokens"], usage["completion_tokens"])
        if self._prompt is None:
            self._prompt = cost[0]
        self._choices[choice["index"]] = cost
        if (reasoned := reasoned_in(usage)) is not None:
            self._reasoned[choice["index"]] = reasoned
        self._head = {key: chunk[key] for key in ("id", "object", "created", "model") if key in chunk}
        if not self._along:
            del chunk["usage"]

    def tells(self) -> bool:
        """Whether the chunk with the usage alone, which is here now, is for the client."""
        self._told = self._at_end
        return self._at_end

    def owed(self) -> dict[str, Any] | None:
        """The usage chunk that the client asked for, of a stream that was left before the engine's came.

        A choice that was asked for again has read the prompt twice.
        """
        if self._told or not self._at_end or self._prompt is None:
            return None
        again = sum(prompt - self._prompt for prompt, _ in self._choices.values())
        prompt = self._prompt + again
        completion = sum(completion for _, completion in self._choices.values())
        usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
            "completion_tokens": completion,
        }
        if self._reasoned.keys() == self._choices.keys():
            usage[DETAILS] = {"reasoning_tokens": sum(self._reasoned.values())}
        return {**self._head, "choices": [], "usage": usage}
