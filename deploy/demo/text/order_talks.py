"""Orders over several turns: what was told is changed, asked for again, or followed by another order.

Each answer is all of the order as it is then. At times the talk was about something else before; what was
said there carries ``"weight": 0``, as does an answer that the user then puts right.
"""

import re
from dataclasses import replace
from random import Random

from deploy.demo.text import (
    arithmetic,
    order_changes,
    order_mails,
    policy,
    pools,
    refusal,
    smalltalk,
    support,
)
from deploy.demo.text.order_mails import Order
from deploy.demo.text.phrasing import PART, Phrases
from deploy.demo.text.sample import Language, Message

_AFTER_OTHERS = 0.25  # of the talks begin with another topic
_MISREAD = 0.1  # begin with a wrong answer
_TURNS = (1, 1, 1, 2, 2, 3, 4)  # after the first order
_LONG = {"en": 1400, "zh": 700}  # characters after which nothing more is said: a row is at most 1024 tokens
_LEAD = 0.5  # of the orders that come later are announced
_FIRST_WORDS = {"en": re.compile(r"[^\W\d]+ [^\W\d]+"), "zh": re.compile("[\u4e00-\u9fff]{2,3}")}
_TOPICS = (smalltalk, smalltalk, smalltalk, arithmetic, support, policy, refusal)
_YEAR_ASKED = 0.5  # of the turns after a day without its year are a change, mostly that year
_AGAIN, _SECOND, _SAME, _BOTH = 0.14, 0.30, 0.34, 0.46  # of the turns, up to here; the rest are one change


def talk(rng: Random, language: Language) -> tuple[list[Message], Order]:
    """A conversation to train on, and the order that its last answer tells."""
    messages = _about_others(rng, language) if rng.random() < _AFTER_OTHERS else []
    turns = pools.pick(rng, (0, 1, 1, 2) if messages else _TURNS)
    text, order = order_mails.draw(rng, language, "train")
    messages.append({"role": "user", "content": text})
    if turns and rng.random() < _MISREAD:
        messages += _misread(rng, language, text, order)
    messages.append(order.told())
    for _ in range(turns):
        if sum(len(message["content"]) for message in messages) > _LONG[language]:
            break
        text, order = _turn(rng, language, order)
        messages += [{"role": "user", "content": text}, order.told()]
    return messages, order


def _turn(rng: Random, language: Language, order: Order) -> tuple[str, Order]:
    """What the user says next, and the order that is told then."""
    phrases, kind = Phrases.load("order_talk", language), rng.random()
    if order.yearless is not None and rng.random() < _YEAR_ASKED:
        kind = 1.0
    if kind < _AGAIN:
        return phrases.say(rng, "again", typos=0.05), order
    if kind < _SECOND:
        text, other = order_mails.draw(rng, language, "train")
        if rng.random() < _LEAD:
            text = phrases.say(rng, "second") + pools.pick(rng, ["\n", "\n\n", " ", " "]) + text
        return text, other
    if kind < _SAME:
        core, order = order_changes.same(rng, phrases, order)
        return _said(rng, phrases, "said", core=core), order
    core, order, made = order_changes.change(rng, phrases, order)
    if kind > _BOTH:
        return _said(rng, phrases, "said", core=core), order
    second, order, _ = order_changes.change(rng, phrases, order, but=made)
    return _said(rng, phrases, "said_both", core=core, core2=second), order


def _misread(rng: Random, language: Language, text: str, order: Order) -> list[Message]:
    """An answer with a wrong customer or a wrong quantity, and what the user says to it."""
    phrases, found = Phrases.load("order_talk", language), _FIRST_WORDS[language].search(text)
    first = found.group() if found else order.customer
    if first not in order.customer and order.customer not in first and rng.random() < 0.7:
        wrong = replace(order, customer=first)
        core = phrases.raw(rng, "change_name", name=order.customer, old_name=first)
    else:
        product, number = order.items[0]
        wrong = replace(order, items=((product, number + 1), *order.items[1:]))
        values = {"p": product, "q": str(number), "old_q": str(number + 1), "m": PART}
        core = phrases.raw(rng, "change_amount_of", **values)
    return [
        wrong.told() | {"weight": 0},
        {"role": "user", "content": _said(rng, phrases, "said", core=core + PART)},
    ]


def _said(rng: Random, phrases: Phrases, rule: str, **cores: str) -> str:
    return phrases.say(rng, rule, typos=0.05, **cores).replace("了了", "了").strip()


def _about_others(rng: Random, language: Language) -> list[Message]:
    """A question of another topic and its answer, as a client sends them back: without thoughts and calls."""
    said = [
        message
        for message in pools.pick(rng, _TOPICS).sample(rng, language, "train").messages
        if message["role"] in ("user", "assistant") and message["content"]
    ]
    question = next(message for message in reversed(said[:-1]) if message["role"] == "user")
    answer = str(said[-1]["content"]).rpartition("</think>\n\n")[2]
    return [question, {"role": "assistant", "content": answer, "weight": 0}]
