"""Rules that say what an answer of the desk is worth, for ``grpo`` and ``ppo``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

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


def _f1(said: str, right: str) -> float:
    found, wanted = (Counter(WORD.findall(text.lower())) for text in (said, right))
    shared = (found & wanted).total()
    return 2 * shared / max(found.total() + wanted.total(), 1)
