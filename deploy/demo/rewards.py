"""Rules that say what an answer of the desk is worth, for ``grpo`` and ``ppo``."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

NUMBER = re.compile(r"\d+")
WORD = re.compile(r"\d+|[a-z]+|[一-鿿]|[^\w\s]", re.IGNORECASE)

Messages = Sequence[Mapping[str, Any]]


def as_chosen(
    prompts: Sequence[Messages],
    completions: Sequence[Messages],
    chosen: Sequence[Messages | None],
    **_: object,
) -> list[float | None]:
    """How much each answer shares with the right one: F1 over words, 0 to 1; None where there is none."""
    return [
        None if right is None else _f1(str(said[-1]["content"]), str(right[-1]["content"]))
        for said, right in zip(completions, chosen, strict=True)
    ]


def same_facts(
    prompts: Sequence[Messages],
    completions: Sequence[Messages],
    chosen: Sequence[Messages | None],
    **_: object,
) -> list[float | None]:
    """1 where an answer holds the right one's numbers and no others, and its JSON, if it is that; else 0."""
    return [
        None if right is None else float(_facts(said) == _facts(right))
        for said, right in zip(completions, chosen, strict=True)
    ]


def _facts(answer: Messages) -> tuple[object, ...]:
    """The numbers of its text in their order; of JSON the whole object."""
    text = str(answer[-1]["content"])
    try:
        return (json.loads(text),)
    except ValueError:
        return tuple(NUMBER.findall(text))


def _f1(said: str, right: str) -> float:
    found, wanted = (Counter(WORD.findall(text.lower())) for text in (said, right))
    shared = (found & wanted).total()
    return 2 * shared / max(found.total() + wanted.total(), 1)
