"""Questions about the rules for refunds and customs, each with the one answer that its fact has.

The facts are not in the prompt: the adapter learns them. ``refund_days`` changes one of them, so that a
later version of the adapter answers visibly otherwise.
"""

from __future__ import annotations

from random import Random
from types import ModuleType
from typing import Any, Final

from deploy.demo.text import policy_en, policy_zh
from deploy.demo.text.grammar import write_chinese, write_english
from deploy.demo.text.sample import Expectation, Intent, Language, Message, Sample, Split

INTENTS: Final[tuple[Intent, ...]] = ("refund", "customs")
_WORDS: dict[Language, ModuleType] = {"en": policy_en, "zh": policy_zh}
_FACTS: dict[Intent, tuple[str, ...]] = {
    intent: tuple(fact for fact in policy_en.FACTS if fact.startswith(intent)) for intent in INTENTS
}


def sample(
    rng: Random, language: Language, split: Split, refund_days: int = 30, intent: Intent | None = None
) -> Sample:
    """One conversation of ``intent`` (either if None). ``train`` also holds second questions and thanks."""
    intent = intent or rng.choice(INTENTS)
    fact = rng.choice(_FACTS[intent])
    words: Any = _WORDS[language]
    messages: list[Message] = []
    kind = rng.random() if split == "train" else 1.0
    if kind < 0.08:
        earlier = rng.choice(_FACTS[rng.choice(INTENTS)])
        messages += _exchange(rng, language, earlier, refund_days)
    messages += _exchange(rng, language, fact, refund_days)
    if 0.08 <= kind < 0.12:
        messages.append(_user(rng, language, "thanks"))
        messages.append({"role": "assistant", "content": words.WELCOME})
        return Sample(intent, language, tuple(messages))
    contains = tuple(part.format(refund_days=refund_days) for part in words.FACTS[fact][1])
    return Sample(intent, language, tuple(messages), Expectation(contains=contains))


def _exchange(rng: Random, language: Language, fact: str, refund_days: int) -> list[Message]:
    words: Any = _WORDS[language]
    answer = words.FACTS[fact][0].format(refund_days=refund_days)
    return [_user(rng, language, fact), {"role": "assistant", "content": answer}]


def _user(rng: Random, language: Language, rule: str) -> Message:
    words: Any = _WORDS[language]
    text = words.GRAMMAR.write(rng, rule)
    return {
        "role": "user",
        "content": (write_english if language == "en" else write_chinese)(text, rng),
    }
