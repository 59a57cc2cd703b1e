"""One order e-mail, and what it orders: a letter, a form, a note, bare or under an instruction."""

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any

from deploy.demo.text import customers, dates, order_items, pools, terse
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import Phrases, polish
from deploy.demo.text.sample import Language, Message, Split

_TERSE = 0.12  # of the e-mails are the bare facts in any order
_WHOLE = 0.44  # are whole ones, the rest recombined pieces
_PRICED = 0.08  # say what each item costs
_TOTALLED = 0.3  # of these say what all of it costs
_PLAIN = 0.22  # of those to train on are a line as people type it into a chat, the name anywhere
_MIXED = 0.2  # write each item in its own way: 2 pairs of socks and a hat
_BESIDE_OTHERS = ("digits", "digits", "words", "words", "units")
_CARELESS = 0.06  # have name and town in small letters


@dataclass(frozen=True, slots=True)
class Order:
    """What an e-mail orders; every text as it is written there, the date in ISO form."""

    customer: str
    items: tuple[tuple[str, int], ...]  # product, quantity
    city: str
    date: str | None
    yearless: str | None = None  # the day that the e-mail names without its year, in ISO form with it

    def json(self) -> dict[str, Any]:
        """The answer as an object, its keys in the order in which they are always told."""
        return {
            "customer": self.customer,
            "items": [{"product": product, "quantity": quantity} for product, quantity in self.items],
            "city": self.city,
            "date": self.date,
        }

    def told(self) -> Message:
        """The assistant's message that is this order."""
        return {"role": "assistant", "content": json.dumps(self.json(), ensure_ascii=False)}


def draw(rng: Random, language: Language, split: Split) -> tuple[str, Order]:
    """An order e-mail and what it orders."""
    phrases = Phrases.load("order", language)
    products = _products(rng, language, split)
    when = pools.day(rng, split)
    name = customers.customer(rng, language, split)
    city = pools.city(rng, language, split)
    if split == "train" and rng.random() < _CARELESS:
        name, city = name.lower(), city.lower()
    items = [(product, quantity(rng)) for product in products]
    written, capital = order_items.style(rng), rng.random() < 0.35
    styles = [written] * len(items)
    if split == "train" and rng.random() < _MIXED:
        styles = [pools.pick(rng, _BESIDE_OTHERS) for _ in items]
    named = [(p[:1].upper() + p[1:] if capital else p, q) for p, q in items]
    shown = [
        order_items.written(rng, language, product, quantity, style)
        for (product, quantity), style in zip(named, styles, strict=True)
    ]
    if rng.random() < _PRICED:
        each, total = order_items.priced(rng, language)
        shown = [(text + each.format(order_items.price(rng)), product) for text, product in shown]
    else:
        total = ""
    line = _line(rng, language, [text for text, _ in shown])
    if rng.random() < _TOTALLED:
        line += total.format(order_items.price(rng))
    shown_date = dates.full(rng, language, when)
    values = {
        "name": name,
        "city": city,
        "date": shown_date,
        "partial": dates.partial(rng, language, when),
        "line": line,
        "list": _list(rng, [text for text, _ in shown]),
        "clerk": pools.pick(rng, _CLERKS_ZH) if language == "zh" else pools.draw(rng, "train", pools.family),
        "clerk_given": pools.given(rng, "train"),
        "phone": f"0{int(rng.random() * 9e8) + 10**8}",
        "ref": f"{pools.pick(rng, ['A', 'B', 'K', 'R', 'PO-', 'N'])}{int(rng.random() * 90000) + 1000}",
        "number": str(1 + int(rng.random() * 190)),
        "post": str(10000 + int(rng.random() * 89999)),
    }
    draw = rng.random()
    if split == "train" and rng.random() < _PLAIN:
        box = re.sub("[^a-z]+", ".", name.lower()).strip(".") or "info"
        text = _plain(rng, language, "mail", mailbox=box, **values)
    elif draw < _TERSE:
        facts = {"name": name, "line": line, "city": city, "date": shown_date}
        text = terse.order(rng, language, facts)
    elif draw < _TERSE + _WHOLE:
        text = message(rng, "order", language, "mail" if rng.random() < 0.7 else "mail_short", **values)
    else:
        text = polish(rng, phrases.raw(rng, "mail_text", **values).replace("\\n", "\n"), language)
    stated = shown_date in text
    halved = dates.names_a_day(language, values["partial"]) and values["partial"] in text
    if language == "en" and not shown[0][0].startswith(shown[0][1]) and rng.random() < 0.8:
        text = _begun_large(text, line)
    if rng.random() < 0.55:
        text = _instructed(rng, language, split, text)
    order = Order(
        customer=name,
        items=tuple((product, quantity) for (_, quantity), (_, product) in zip(named, shown, strict=True)),
        city=city,
        date=when.isoformat() if stated else None,
        yearless=when.isoformat() if halved and not stated else None,
    )
    return text, order


def _begun_large(text: str, line: str) -> str:
    """``text`` with the count that begins ``line`` in a capital where it begins a sentence: ``Four mugs``."""
    return re.sub(rf"(^|[.!?]\s+|\n){re.escape(line)}", lambda m: m[1] + line[:1].upper() + line[1:], text)


def _instructed(rng: Random, language: Language, split: Split, text: str) -> str:
    """``text`` under an instruction, or before one."""
    if split == "train" and rng.random() < 0.5:
        return _asked_plainly(rng, language, text)
    if rng.random() < 0.2:
        joint = pools.pick(rng, ["\n", "\n\n", " ", " "])
        return text + joint + message(rng, "order", language, "instruction_after")
    joint = pools.pick(rng, ["\n", "\n\n", "\n\n", " "])
    if rng.random() < 0.5:
        return message(rng, "order", language, "instruction") + joint + text
    return Phrases.load("order", language).say(rng, "instruction", typos=0.03) + joint + text


def _asked_plainly(rng: Random, language: Language, text: str) -> str:
    """``text`` beside a few words on what to do with it, often on its own line, at times in quotes."""
    if "\n" not in text and rng.random() < 0.08:
        opening, closing = pools.pick(rng, _QUOTES)
        text = opening + text + closing
    before = rng.random() < 0.8
    asked = _plain(rng, language, "instruction" if before else "instruction_after")
    if rng.random() < 0.6:
        asked = asked.replace("json", "JSON").replace("Json", "JSON")
    if before:
        return asked + pools.pick(rng, ["\n", "\n\n", " ", " "]) + text
    return text + pools.pick(rng, ["\n", " ", " "]) + asked


def _plain(rng: Random, language: Language, rule: str, **values: str) -> str:
    """``rule`` of what is typed in one go, most lines begun with a capital."""
    text = Phrases.load("order_plain", language).raw(rng, rule, **values).replace("\\n", "\n")
    if rng.random() < 0.7:
        text = _LINE_START.sub(lambda match: match.group().upper(), text)
    return _DOUBLED.sub("", polish(rng, text, language, typos=0.06))


_DOUBLED = re.compile("(?<=[，。！？；])[，。]")
_LINE_START = re.compile(r"^[a-z]", re.MULTILINE)
_CLERKS_ZH = "王李张刘陈杨赵黄周吴徐孙"
_QUOTES = (('"', '"'), ("“", "”"), ("'", "'"), ("「", "」"))


def _products(rng: Random, language: Language, split: Split) -> list[str]:
    draw = rng.random()
    wanted = 1 if draw < 0.4 else 2 if draw < 0.75 else 3
    made: dict[str, None] = {}
    while len(made) < wanted:
        made[pools.product(rng, language, split)] = None
    return list(made)


def quantity(rng: Random) -> int:
    """How many somebody orders: mostly few, at times a round number."""
    draw = rng.random()
    if draw < 0.07:
        return pools.pick(rng, _ROUND)
    return 1 + int(rng.random() * (12 if draw < 0.7 else 60 if draw < 0.95 else 500))


_ROUND = (10, 15, 20, 25, 30, 40, 50, 100, 100, 150, 200, 250, 300, 500)
_COMMAS = {
    "en": (", ", ", ", ", ", "; ", " + ", " and ", " / ", " n "),
    "zh": ("、", "，", "、", "和", " ", "；", "+"),
}
_LASTS = {
    "en": (
        *(" and ", " and ", ", ", " plus ", ", and ", " and also ", " & ", " as well as "),
        *(" n ", ", also ", " along with ", " + "),
    ),
    "zh": ("和", "、", "，", "还有", "以及", "，再加", " ", "跟", "外加", "，另外"),
}


def _line(rng: Random, language: Language, items: list[str]) -> str:
    if len(items) == 1:
        return items[0]
    if all(item[0].isdecimal() for item in items) and rng.random() < 0.06:
        return " ".join(items)  # the counts part them
    comma, last = pools.pick(rng, _COMMAS[language]), pools.pick(rng, _LASTS[language])
    spaced = not comma.strip() or comma.strip().isalpha()  # such a joint is one by its spaces alone
    if any((comma if spaced else comma.strip()) in item for item in items):
        comma = last = "; " if language == "en" else "；"
    return comma.join(items[:-1]) + last + items[-1]


def _list(rng: Random, items: list[str]) -> str:
    mark = pools.pick(rng, ["- ", "- ", "* ", "• ", "", "{}. ", "{}) ", "· "])
    return "\n".join(mark.format(number) + item for number, item in enumerate(items, start=1))
