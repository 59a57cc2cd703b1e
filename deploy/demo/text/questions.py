"""Questions whose right answer is known, for ``pointsman data build``: a request, and what must come out."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, get_args

from deploy.demo.text.corpus import conversation, draw
from deploy.demo.text.sample import Expectation, Intent, Language


def questions(rows: int, seed: int, intent: str) -> Iterator[dict[str, Any]]:
    """Requests of ``intent`` in both languages, under the system prompt that its route serves.

    Raises:
        ValueError: the demo has no such intent.
    """
    if intent not in get_args(Intent):
        raise ValueError(f"no intent {intent!r} in the demo; there are {', '.join(get_args(Intent))}")
    rng = Random(f"questions {intent} {seed}")
    for _ in range(rows):
        language: Language = "zh" if rng.random() < 0.4 else "en"
        sample = draw(rng, intent, language, "train")  # type: ignore[arg-type]
        messages = conversation(sample)["messages"]
        last = max(i for i, message in enumerate(messages) if message["role"] == "user")
        calls = [
            {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
            for message in messages[last + 1 :]
            for call in message.get("tool_calls", ())
        ]
        yield {"prompt": messages[: last + 1], "expect": _rules(sample.expect, calls)}


def _rules(expect: Expectation, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The sample's own calls, and its expectation of the answer, as the rules of a build."""
    rules: dict[str, Any] = {"calls": calls, "contains": list(expect.contains)}
    if expect.number is not None:
        rules["number"] = expect.number
    if expect.json is not None:
        rules["json"] = dict(expect.json)
    return rules
