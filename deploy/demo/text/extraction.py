"""Order e-mails and the one line of JSON that says what is in them.

Rules of the answer: keys in the order customer, items (product, quantity), city, date; every text exactly
as the e-mail writes it; the word that counts (``boxes of``, ``个``) is no part of a product, ``市`` none of
a city; a date is ``YYYY-MM-DD`` (``03/04/2026`` has the day first) or, where the e-mail
gives no full date with its year, null.
"""

import json
from datetime import date
from random import Random

from deploy.demo.text import columns, pools
from deploy.demo.text.messages import message
from deploy.demo.text.phrasing import Phrases, polish
from deploy.demo.text.sample import Expectation, Language, Message, Sample, Split

_WHOLE = 0.5  # of the e-mails, and of the instructions, are whole ones, the rest recombined pieces
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_CONTAINERS = ("boxes", "packs", "bags", "bottles", "units", "pieces", "pairs", "sets", "cartons", "jars")
_ITEM_FORMS = {
    "digits": ("{q} {p}",),
    "times": ("{q} x {p}", "{q}x {p}", "{q} × {p}", "{q} pcs {p}", "{q} pcs. {p}"),
    "after": (
        "{p} x{q}",
        "{p} x {q}",
        "{p}: {q}",
        "{p} - {q}",
        "{p} ×{q}",
        "{p}, {q} pcs",
        "{p}, quantity {q}",
        "{p} (x{q})",
        "{p}, qty {q}",
    ),
    "brackets": ("{p} ({q})", "{p} ({q} pcs)"),
}
_ZH_MEASURES = "个个个个件只台把套张条箱盒包瓶双袋本支块份"


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """One order e-mail, bare or under an instruction, and its JSON."""
    phrases = Phrases.load("order", language)
    products = _products(rng, language, split)
    when = pools.day(rng, split)
    name = _customer(rng, language, split)
    city = pools.city(rng, language, split)
    items = [(product, _quantity(rng)) for product in products]
    written, capital = _style(rng), rng.random() < 0.35
    named = [(p[:1].upper() + p[1:] if capital else p, q) for p, q in items]
    shown = [_item(rng, language, product, quantity, written) for product, quantity in named]
    stated, shown_date = True, _day(rng, language, when)
    values = {
        "name": name,
        "city": city,
        "date": shown_date,
        "partial": _partial(rng, language, when),
        "line": _line(rng, language, [text for text, _ in shown]),
        "list": _list(rng, [text for text, _ in shown]),
        "clerk": pools.pick(rng, _CLERKS_ZH) if language == "zh" else pools.draw(rng, "train", pools.family),
        "clerk_given": pools.given(rng, "train"),
        "phone": f"0{int(rng.random() * 9e8) + 10**8}",
        "ref": f"{pools.pick(rng, ['A', 'B', 'K', 'R', 'PO-', 'N'])}{int(rng.random() * 90000) + 1000}",
        "number": str(1 + int(rng.random() * 190)),
        "post": str(10000 + int(rng.random() * 89999)),
    }
    if rng.random() < _WHOLE:
        text = message(rng, "order", language, "mail" if rng.random() < 0.7 else "mail_short", **values)
    else:
        text = polish(rng, phrases.raw(rng, "mail_text", **values).replace("\\n", "\n"), language)
    stated = shown_date in text
    if rng.random() < 0.55:
        joint = pools.pick(rng, ["\n", "\n\n", "\n\n", " "])
        if rng.random() < _WHOLE:
            text = message(rng, "order", language, "instruction") + joint + text
        else:
            text = phrases.say(rng, "instruction", typos=0.03) + joint + text
    answer = {
        "customer": name,
        "items": [
            {"product": product, "quantity": quantity}
            for (_, quantity), (_, product) in zip(named, shown, strict=True)
        ],
        "city": city,
        "date": when.isoformat() if stated else None,
    }
    content = json.dumps(answer, ensure_ascii=False)
    messages: tuple[Message, ...] = (
        {"role": "user", "content": text},
        {"role": "assistant", "content": content},
    )
    if split == "train" and rng.random() < 0.06:
        messages = (*sample(rng, language, split).messages, *messages)
    return Sample("order_json", language, messages, Expectation(json=answer))


_FIRMS = ("Ltd", "GmbH", "& Sons", "Trading", "Books", "Hotel", "Bakery", "Inc", "Café", "Garden Centre")
_ZH_FIRMS = ("有限公司", "公司", "商店", "书店", "餐厅", "酒店", "贸易公司", "超市", "小学")
_CLERKS_ZH = "王李张刘陈杨赵黄周吴徐孙"


def _customer(rng: Random, language: Language, split: Split) -> str:
    """A person or, one in fourteen, a firm."""
    if rng.random() < 0.93:
        return pools.person(rng, language, split)
    if language == "zh":
        return pools.draw(rng, split, lambda r: pools.hanzi(r, 2) + pools.pick(r, _ZH_FIRMS))
    first = pools.draw(rng, split, pools.family)
    return f"{first} {pools.pick(rng, _FIRMS)}"


def _products(rng: Random, language: Language, split: Split) -> list[str]:
    draw = rng.random()
    wanted = 1 if draw < 0.4 else 2 if draw < 0.75 else 3
    made: dict[str, None] = {}
    while len(made) < wanted:
        made[pools.product(rng, language, split)] = None
    return list(made)


def _quantity(rng: Random) -> int:
    draw = rng.random()
    return 1 + int(rng.random() * (12 if draw < 0.7 else 60 if draw < 0.95 else 500))


def _style(rng: Random) -> str:
    return pools.pick(
        rng, ["digits", "digits", "digits", "words", "words", "times", "after", "brackets", "units"]
    )


def _item(rng: Random, language: Language, product: str, quantity: int, style: str) -> tuple[str, str]:
    """The item as the e-mail writes it, and the product in it."""
    if language == "zh":
        return _zh_item(rng, product, quantity, style), product
    if style not in {"times", "after"} and quantity > 1 and rng.random() < 0.85:
        product = pools.plural(product)
    if style == "units":
        return f"{_english_count(rng, quantity)} {_container(rng, quantity)} of {product}", product
    if style in _ITEM_FORMS:
        return pools.pick(rng, _ITEM_FORMS[style]).format(p=product, q=quantity), product
    if quantity == 1 and rng.random() < 0.6:
        return f"{'an' if product[0] in 'aeiouAEIOU' else 'a'} {product}", product
    return f"{_english_count(rng, quantity)} {product}", product


def _container(rng: Random, quantity: int) -> str:
    name = pools.pick(rng, _CONTAINERS)
    return name if quantity > 1 else {"boxes": "box"}.get(name, name[:-1])


def _english_count(rng: Random, quantity: int) -> str:
    if quantity == 2 and rng.random() < 0.1:
        return "a couple of"
    if quantity == 12 and rng.random() < 0.4:
        return "a dozen"
    return columns.english(quantity) if quantity <= 99 else str(quantity)


def _zh_item(rng: Random, product: str, quantity: int, style: str) -> str:
    measure = pools.pick(rng, _ZH_MEASURES)
    space = " " if product[0].isascii() else ""
    if style == "words" and quantity <= 99:
        count = "两" if quantity == 2 else columns.chinese(quantity)
        return f"{count}{measure}{space}{product}"
    if style == "times":
        return f"{product}{pools.pick(rng, [' x ', 'x', '×', ' × ', '*'])}{quantity}"
    if style == "after":
        form = pools.pick(
            rng, ["{}" + measure, "：{}" + measure, " {} " + measure, "，数量{}", " - {}" + measure]
        )
        return product + form.format(quantity)
    if style == "brackets":
        return f"{product}（{quantity}{measure}）" if rng.random() < 0.7 else f"{product}({quantity})"
    return f"{quantity}{measure}{space}{product}" if rng.random() < 0.8 else f"{quantity} {measure}{product}"


def _line(rng: Random, language: Language, items: list[str]) -> str:
    if len(items) == 1:
        return items[0]
    if language == "zh":
        comma, last = (
            pools.pick(rng, ["、", "，", "、", "和"]),
            pools.pick(rng, ["和", "、", "，", "还有", "以及", "，再加"]),
        )
    else:
        comma = pools.pick(rng, [", ", ", ", ", ", "; ", " + ", " and "])
        last = pools.pick(
            rng, [" and ", " and ", ", ", " plus ", ", and ", " and also ", " & ", " as well as "]
        )
    if any(comma.strip() in item for item in items) and comma.strip():
        comma = last = "; " if language == "en" else "；"
    return comma.join(items[:-1]) + last + items[-1]


def _list(rng: Random, items: list[str]) -> str:
    mark = pools.pick(rng, ["- ", "- ", "* ", "• ", "", "{}. ", "{}) ", "· "])
    return "\n".join(mark.format(number) + item for number, item in enumerate(items, start=1))


def _partial(rng: Random, language: Language, when: date) -> str:
    """A date without its year, which is no full date."""
    if language == "zh":
        return f"{when.month}月{when.day}{pools.pick(rng, '日号')}"
    month = _MONTHS[when.month - 1]
    return pools.pick(rng, [f"{when.day} {month}", f"{month} {when.day}", _DAYS[when.weekday()], month])


def _day(rng: Random, language: Language, when: date) -> str:
    if language == "zh":
        return pools.pick(rng, _ZH_DATE_FORMS).format(y=when.year, m=when.month, d=when.day)
    month, number = _MONTHS[when.month - 1], when.day
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in {11, 12, 13} else 0, "th")
    return pools.pick(rng, _DATE_FORMS).format(
        y=when.year, m=when.month, d=number, month=month, mon=month[:3], th=ending, day=_DAYS[when.weekday()]
    )


_DATE_FORMS = (
    "{y}-{m:02}-{d:02}",
    "{y}-{m:02}-{d:02}",
    "{d} {month} {y}",
    "{d} {month} {y}",
    "{month} {d}, {y}",
    "{month} {d}, {y}",
    "{month} {d}{th}, {y}",
    "{d}{th} {month} {y}",
    "{d}{th} of {month} {y}",
    "the {d}{th} of {month}, {y}",
    "{mon} {d}, {y}",
    "{d} {mon} {y}",
    "{d:02}.{m:02}.{y}",
    "{d}.{m}.{y}",
    "{d:02}/{m:02}/{y}",
    "{y}/{m:02}/{d:02}",
    "{day}, {d} {month} {y}",
    "{day} {month} {d}, {y}",
    "{month} {d} {y}",
)
_ZH_DATE_FORMS = (
    "{y}年{m}月{d}日",
    "{y}年{m}月{d}日",
    "{y}年{m}月{d}日",
    "{y}年{m}月{d}号",
    "{y}-{m:02}-{d:02}",
    "{y}/{m}/{d}",
    "{y}.{m}.{d}",
    "{y} 年 {m} 月 {d} 日",
    "{y}年{m:02}月{d:02}日",
)
