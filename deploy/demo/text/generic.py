"""Rows that teach skills and no facts: copying, looking up, spelling, filling in.

A base of this size learns to copy an unseen name only if it copies many random ones; the words and keys here
are made up anew for every row.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from deploy.demo.text import goods, pools
from deploy.demo.text.phrasing import Phrases, polish
from deploy.demo.text.sample import Language

Row = dict[str, Any]
_PLACES = {
    "en": ("first", "second", "third", "fourth", "fifth", "last"),
    "zh": ("一", "二", "三", "四", "五", "六"),
}


def row(rng: Random, language: Language) -> Row:
    """One question of a random skill and its answer, as ``messages``."""
    phrases = Phrases.load("generic", language)
    draw = rng.random()
    for share, make in _SKILLS:
        draw -= share
        if draw < 0:
            return make(rng, phrases)
    return _SKILLS[0][1](rng, phrases)


def _thing(rng: Random, language: Language) -> str:
    """Something to copy: a word, a code, a number, a name."""
    draw = rng.random()
    if draw < 0.35:
        return (
            pools.word(rng)
            if language == "en" or draw < 0.08
            else pools.hanzi(rng, 1 + int(rng.random() * 5))
        )
    if draw < 0.50:
        return pools.code(rng)
    if draw < 0.65:
        return str(int(10 ** (rng.random() * 9)))
    if draw < 0.75:
        return pools.person(rng, language, "train")
    if draw < 0.85:
        return pools.city(rng, language, "train")
    return pools.product(rng, language, "train")


def _exchange(question: str, answer: str) -> Row:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def _copy(rng: Random, phrases: Phrases) -> Row:
    joint = pools.pick(rng, [" ", " ", ", ", "、" if phrases.language == "zh" else " - "])
    text = joint.join(_thing(rng, phrases.language) for _ in range(1 + int(rng.random() ** 2 * 9)))
    return _exchange(phrases.say(rng, "copy", x=text).replace("\\n", "\n"), text)


def _spell(rng: Random, phrases: Phrases) -> Row:
    if phrases.language == "zh":
        text = pools.hanzi(rng, 2 + int(rng.random() * 6))
    else:
        text = pools.word(rng) if rng.random() < 0.6 else pools.pick(rng, goods.THINGS)
    return _exchange(phrases.say(rng, "spell", x=text), "-".join(text))


def _pick(rng: Random, phrases: Phrases) -> Row:
    count = 3 + int(rng.random() * 3)
    things = [_thing(rng, phrases.language) for _ in range(count)]
    at = int(rng.random() * count)
    places = _PLACES[phrases.language]
    place = places[-1] if phrases.language == "en" and at == count - 1 and rng.random() < 0.7 else places[at]
    shown = (", " if phrases.language == "en" else "、").join(things)
    return _exchange(phrases.say(rng, "pick", x=shown, place=place).replace("\\n", "\n"), things[at])


def _lookup(rng: Random, phrases: Phrases) -> Row:
    key = phrases.plain(rng, "key")
    names = {
        pools.person(rng, phrases.language, "train"): _thing(rng, phrases.language)
        for _ in range(2 + int(rng.random() * 4))
    }
    facts = [phrases.raw(rng, "fact", key=key, who=who, x=value) for who, value in names.items()]
    who = pools.pick(rng, list(names))
    text = phrases.raw(
        rng, "lookup", facts=(" " if phrases.language == "en" else "").join(facts), who=who, key=key
    )
    return _exchange(polish(rng, text.replace("\\n", "\n"), phrases.language), names[who])


def _fill(rng: Random, phrases: Phrases) -> Row:
    keys = list({phrases.plain(rng, "key"): None for _ in range(1 + int(rng.random() * 4))})
    values: dict[str, str | int] = {}
    for key in keys:
        thing = _thing(rng, phrases.language)
        values[key] = int(thing) if thing.isdecimal() else thing
    parts = [phrases.raw(rng, "part", key=key, x=str(value)) for key, value in values.items()]
    rng.shuffle(parts)
    comma = pools.pick(rng, [", ", "; ", ", "] if phrases.language == "en" else ["，", "；", "，"])
    text = phrases.raw(rng, "fill", keys=comma.join(keys), x=comma.join(parts)).replace("\\n", "\n")
    return _exchange(polish(rng, text, phrases.language), json.dumps(values, ensure_ascii=False))


_SKILLS: tuple[tuple[float, Callable[[Random, Phrases], Row]], ...] = (
    (0.35, _copy),
    (0.09, _spell),
    (0.12, _pick),
    (0.22, _lookup),
    (0.22, _fill),
)
