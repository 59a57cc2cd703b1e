"""Order e-mails and the one line of JSON that says what is in them.

Rules of the answer: keys in the order customer, items (product, quantity), city, date; every text exactly
as the e-mail writes it; the word that counts (``boxes of``, ``个``) is no part of a product, ``市`` none of
a city; a date is ``YYYY-MM-DD`` or, where the e-mail gives no full date, null.
"""

import json
from datetime import date
from random import Random

from deploy.demo.text import columns, pools
from deploy.demo.text.phrasing import Phrases, polish
from deploy.demo.text.sample import Expectation, Language, Sample, Split

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
_ZH_MEASURES = "个个个个件只台把套张条箱盒包瓶双袋本支块份"


def sample(rng: Random, language: Language, split: Split) -> Sample:
    """One order e-mail, bare or under an instruction, and its JSON."""
    phrases = Phrases.load("order", language)
    products = _products(rng, language, split)
    when = pools.day(rng, split)
    name = pools.person(rng, language, split)
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
        "line": _line(rng, language, [text for text, _ in shown]),
        "list": _list(rng, [text for text, _ in shown]),
        "clerk": pools.pick(rng, _CLERKS_ZH) if language == "zh" else pools.draw(rng, "train", pools.family),
        "clerk_given": pools.given(rng, "train"),
        "phone": f"0{int(rng.random() * 9e8) + 10**8}",
        "ref": f"{pools.pick(rng, ['A', 'B', 'K', 'R', 'PO-', 'N'])}{int(rng.random() * 90000) + 1000}",
        "number": str(1 + int(rng.random() * 190)),
        "post": str(10000 + int(rng.random() * 89999)),
    }
    text = phrases.raw(rng, "mail_text", **values).replace("\\n", "\n")
    stated = shown_date in text
    text = polish(rng, text, language)
    if rng.random() < 0.55:
        joint = pools.pick(rng, ["\n", "\n\n", "\n\n", " "])
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
    messages = ({"role": "user", "content": text}, {"role": "assistant", "content": content})
    return Sample("order_json", language, messages, Expectation(json=answer))


_CLERKS_ZH = "王李张刘陈杨赵黄周吴徐孙"


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
    if style in {"digits", "words", "units", "brackets"} and quantity > 1 and rng.random() < 0.85:
        product = pools.plural(product)
    if style == "words" and quantity <= 99:
        return f"{_english_count(rng, product, quantity)} {product}", product
    if style == "units" and quantity > 1:
        return f"{quantity} {pools.pick(rng, _CONTAINERS)} of {product}", product
    if style == "times":
        return f"{quantity}{pools.pick(rng, [' x ', 'x ', ' × ', ' pcs ', ' pcs. '])}{product}", product
    if style == "after":
        form = pools.pick(
            rng, [" x{}", " x {}", ": {}", " - {}", " ×{}", ", {} pcs", ", quantity {}", " (x{})"]
        )
        return product + form.format(quantity), product
    if style == "brackets":
        return f"{product} ({quantity})", product
    return f"{quantity} {product}", product


def _english_count(rng: Random, product: str, quantity: int) -> str:
    if quantity == 1:
        article = "an" if product[0] in "aeiouAEIOU" else "a"
        return article if rng.random() < 0.6 else "one"
    if quantity == 12 and rng.random() < 0.5:
        return "a dozen"
    if quantity == 2 and rng.random() < 0.2:
        return "a pair of" if rng.random() < 0.5 else "a couple of"
    return columns.english(quantity)


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


def _day(rng: Random, language: Language, when: date) -> str:
    if language == "zh":
        return pools.pick(rng, _ZH_FORMS).format(y=when.year, m=when.month, d=when.day)
    month, number = _MONTHS[when.month - 1], when.day
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in {11, 12, 13} else 0, "th")
    return pools.pick(rng, _FORMS).format(
        y=when.year, m=when.month, d=number, month=month, mon=month[:3], th=ending, day=_DAYS[when.weekday()]
    )


_FORMS = (
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
    "{y}/{m:02}/{d:02}",
    "{day}, {d} {month} {y}",
    "{day} {month} {d}, {y}",
    "{month} {d} {y}",
)
_ZH_FORMS = (
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
