"""Whole messages as people type them, from ``phrases/<task>_messages.<language>.txt``.

The other phrase files recombine small pieces, which gives many texts of few shapes. Here nearly every
alternative is a message of its own, with a situation and a voice; what multiplies them is the aside that may
stand before or after (its sentences change nothing and ask for nothing) and the care with which they are
typed. Now and then a word is replaced by one that nobody knows: a reader of real messages meets such words,
and must not stumble over them.
"""

import re
from collections.abc import Callable
from random import Random

from deploy.demo.text import pools
from deploy.demo.text.phrasing import VALUE, Phrases, misspell, narrow, unmarked
from deploy.demo.text.sample import Language

_WITH_ASIDE = 0.3  # of the messages
_OTHERS_ASIDE = 0.25  # of the asides are those of another task
_WITH_ASIDES = ("support", "policy", "arithmetic", "refusal")
_ENDS = ".!?。！？…:：,，;；-—~～)）"  # after one of these a next sentence may stand
_ENGLISH_WORD = re.compile(r"(?<![\w'])[a-z]{4,}(?![\w'])")
_LONG = {"en": 60, "zh": 24}  # characters from which a message can spare a word
_COMMA = re.compile(r"(?<=\w)(?:, |，)")  # not one that parts a value from what follows it
_CHINESE_WORD = re.compile(r"[\u4e00-\u9fff]{2}")


def message(rng: Random, task: str, language: Language, rule: str, **values: str) -> str:
    """One message that says ``rule`` of ``task``; what stands in ``values`` is never changed."""
    text = Phrases.load(f"{task}_messages", language).raw(rng, rule, br="\n", **values).strip()
    if task in _WITH_ASIDES and rng.random() < _WITH_ASIDE:
        text = _beside(rng, text, task, language)
    return unmarked(_typed_english(rng, text) if language == "en" else _typed_chinese(rng, text))


def _beside(rng: Random, text: str, task: str, language: Language) -> str:
    """``text`` with an aside before it, or at times after it."""
    if rng.random() < 0.65:
        first, second = _aside(rng, task, language, "aside_before"), text
    else:
        first, second = text, _aside(rng, task, language, "aside_after")
    joint = "\n" if rng.random() < 0.12 else " " if language == "en" else ""
    if first[-1] not in _ENDS and joint != "\n":
        first += "." if language == "en" else "。"
    return f"{first}{joint}{second}"


def _aside(rng: Random, task: str, language: Language, side: str) -> str:
    """Context that asks for nothing, of this task or of another; ``side`` names those that fit there only."""
    task = pools.pick(rng, _WITH_ASIDES) if rng.random() < _OTHERS_ASIDE else task
    phrases = Phrases.load(f"{task}_messages", language)
    rule = side if side in phrases.rules and rng.random() < 0.2 else "aside"
    who, town = pools.person(rng, language, "train"), pools.city(rng, language, "train")
    return phrases.raw(rng, rule, br="\n", who=who, town=town).strip()


def _typed_english(rng: Random, text: str) -> str:
    if rng.random() < 0.12:
        text = misspell(rng, text)
    if len(text) > _LONG["en"] and rng.random() < 0.06:
        text = _replaced(rng, text, _ENGLISH_WORD, pools.word(rng))
    care = rng.random()
    if care < 0.18:
        text = _outside_values(text, str.lower)
    elif care < 0.195:
        text = _outside_values(text, str.upper)
    if rng.random() < 0.06:
        text = _outside_values(text, lambda part: _COMMA.sub(" ", part))
    if text[-1:] in ".?!" and rng.random() < 0.25:
        text = text[:-1]
    return text


def _typed_chinese(rng: Random, text: str) -> str:
    if len(text) > _LONG["zh"] and rng.random() < 0.06:
        text = _replaced(rng, text, _CHINESE_WORD, pools.hanzi(rng, 1 + int(rng.random() * 3)))
    if rng.random() < 0.08:
        text = narrow(text)
    if rng.random() < 0.06:
        text = _outside_values(text, lambda part: _COMMA.sub(" ", part))
    if text[-1:] in "。？！" and rng.random() < 0.35:
        text = text[:-1]
    return text


def _replaced(rng: Random, text: str, word: re.Pattern[str], other: str) -> str:
    """``text`` with one of its words, outside of values, replaced by ``other``."""
    values = [match.span() for match in VALUE.finditer(text)]
    found = [
        match.span()
        for match in word.finditer(text)
        if not any(start <= match.start() < end for start, end in values)
    ]
    if not found:
        return text
    start, end = pools.pick(rng, found)
    return text[:start] + other + text[end:]


def _outside_values(text: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    at = 0
    for match in VALUE.finditer(text):
        parts += [change(text[at : match.start()]), match.group()]
        at = match.end()
    return "".join([*parts, change(text[at:])])
