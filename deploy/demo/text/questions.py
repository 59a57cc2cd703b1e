"""Questions whose right answer is known, for ``pointsman data build``: a request, and what must come out."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from deploy.demo.text.corpus import conversation, draw
from deploy.demo.text.sample import Expectation, Intent, Language

KNOWN: tuple[Intent, ...] = ("track_parcel", "change_address", "complaint", "arithmetic", "order_json")


def questions(rows: int, seed: int, intent: str) -> Iterator[dict[str, Any]]:
    """Requests of ``intent`` in both languages, under the system prompt that its route serves.

    Raises:
        ValueError: it is not an intent whose right answers are facts.
    """
    if intent not in KNOWN:
        raise ValueError(f"no right answers are known of {intent!r}; they are of {', '.join(KNOWN)}")
    rng = Random(f"questions {intent} {seed}")
    while rows:
        language: Language = "zh" if rng.random() < 0.4 else "en"
        sample = draw(rng, intent, language, "train")
        messages = conversation(sample)["messages"]
        last = max(i for i, message in enumerate(messages) if message["role"] == "user")
        calls = [
            {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
            for message in messages[last + 1 :]
            for call in message.get("tool_calls", ())
        ]
        if not calls and sample.expect == Expectation():
            continue  # a follow-up of which only the teller knows what is right
        rows -= 1
        yield {"prompt": messages[: last + 1], "expect": _rules(sample.expect, calls)}


def _rules(expect: Expectation, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """The sample's own calls, and its expectation of the answer, as the rules of a build."""
    rules: dict[str, Any] = {"calls": calls, "contains": list(expect.contains)}
    if expect.number is not None:
        rules["number"] = expect.number
    if expect.json is not None:
        rules["json"] = dict(expect.json)
    return rules
