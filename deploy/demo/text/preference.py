"""Two answers to one question, of which one is better: what reward models and preference training learn from.

The better one is the desk's right answer, about refunds and customs with a friendly word at its end. The
worse one has one fault: a wrong number, the wrong fact, no friendly word or a curt one, padding, no steps,
prose around the JSON, or a promise where the desk has no business. Faults make answers longer as well as
shorter, so that length alone decides nothing. Only routes without tools are asked.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from deploy.demo.text import corpus, policy
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Intent, Language, Message

Row = dict[str, Any]
Fault = Callable[[Random, Language, str], str]  # from the right answer to a worse one
_CHINESE = 0.4
_NUMBER = re.compile(r"\d+")
_POLICY: tuple[Intent, ...] = ("refund", "customs")
_SHARES: tuple[tuple[float, Intent], ...] = (
    (0.25, "refund"),
    (0.20, "customs"),
    (0.25, "arithmetic"),
    (0.10, "order_json"),
    (0.10, "smalltalk"),
    (0.10, "out_of_scope"),
)


def pairs(rows: int, seed: int) -> Iterator[Row]:
    """``{"prompt": [...], "chosen": [message], "rejected": [message]}``, as the intent's route serves it."""
    rng = Random(f"preference {seed}")
    for _ in range(rows):
        intent, language, messages = _asked(rng)
        right = str(messages[-1]["content"])
        chosen = _friendly(rng, language, right) if intent in _POLICY else right
        rejected = chosen
        while rejected == chosen:
            rejected = rng.choice(_FAULTS[intent])(rng, language, right)
        yield {
            "prompt": messages[:-1],
            "chosen": [{"role": "assistant", "content": chosen}],
            "rejected": [{"role": "assistant", "content": rejected}],
        }


def demonstrations(rows: int, seed: int, friendly: float = 0.3) -> Iterator[Row]:
    """``{"messages": [...]}``: right answers; of those about the rules a share is ``friendly``.

    A policy learns from what it says at times, and the base never says the friendly word: at temperature 1.5
    its chance is e⁻⁵⁰, so no sampling finds it. What has learned from these says it as often as they do.
    """
    rng = Random(f"preference demonstrations {seed}")
    for _ in range(rows):
        intent, language, messages = _asked(rng)
        right = str(messages[-1]["content"])
        if intent in _POLICY and rng.random() < friendly:
            right = _friendly(rng, language, right)
        yield {"messages": [*messages[:-1], {"role": "assistant", "content": right}]}


def _asked(rng: Random) -> tuple[Intent, Language, list[Message]]:
    """An intent, its language and a conversation that ends with the right answer."""
    language: Language = "zh" if rng.random() < _CHINESE else "en"
    (intent,) = rng.choices([name for _, name in _SHARES], [share for share, _ in _SHARES])
    sample = corpus.draw(rng, intent, language, "train")
    return intent, language, corpus.conversation(sample)["messages"]


def _friendly(rng: Random, language: Language, answer: str) -> str:
    return answer + _gap(language) + Phrases.load("preference", language).plain(rng, "thanks_for_asking")


def _unfriendly(_: Random, __: Language, answer: str) -> str:
    return answer


def _curt(rng: Random, language: Language, _: str) -> str:
    return Phrases.load("preference", language).plain(rng, "curt")


def _padded(rng: Random, language: Language, answer: str) -> str:
    phrases = Phrases.load("preference", language)
    return _gap(language).join([phrases.plain(rng, "padding"), answer, phrases.plain(rng, "padding")])


def _other_fact(rng: Random, language: Language, answer: str) -> str:
    """What is right about another question, said as kindly."""
    other = answer
    while other == answer:
        other = str(policy.sample(rng, language, "held_out").messages[-1]["content"])
    return _friendly(rng, language, other)


def _wrong_number(rng: Random, language: Language, answer: str) -> str:
    """Another last number; where there is none, a curt answer."""
    found = list(_NUMBER.finditer(answer))
    if not found:
        return _curt(rng, language, answer)
    last = found[-1]
    return answer[: last.start()] + _another(rng, last.group()) + answer[last.end() :]


def _wrong_friendly(rng: Random, language: Language, answer: str) -> str:
    return _friendly(rng, language, _wrong_number(rng, language, answer))


def _no_steps(_: Random, __: Language, answer: str) -> str:
    """The result alone, without the thoughts before it."""
    return answer.rpartition("\n\n")[2]


def _obliging(rng: Random, language: Language, _: str) -> str:
    return Phrases.load("preference", language).plain(rng, "obliging")


def _prose_around(rng: Random, language: Language, answer: str) -> str:
    return Phrases.load("preference", language).plain(rng, "prose_around") + "\n" + answer


def _another(rng: Random, number: str) -> str:
    """Another number of as many digits."""
    digits = list(number)
    at = rng.randrange(len(digits))
    digits[at] = rng.choice([digit for digit in "123456789" if digit != digits[at]])
    return "".join(digits)


def _gap(language: Language) -> str:
    return " " if language == "en" else ""


_TALK: tuple[Fault, ...] = (_curt, _padded, _obliging)
_RULES: tuple[Fault, ...] = (_unfriendly, _curt, _padded, _other_fact, _wrong_friendly)
_FAULTS: Mapping[Intent, tuple[Fault, ...]] = {
    "refund": _RULES,
    "customs": _RULES,
    "arithmetic": (_wrong_number, _wrong_number, _no_steps, _padded),
    "order_json": (_wrong_number, _prose_around),
    "smalltalk": _TALK,
    "out_of_scope": _TALK,
}
