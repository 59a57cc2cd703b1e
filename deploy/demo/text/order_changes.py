"""What somebody changes in an order that was told: an amount, the day, the town, the name, an item.

Each change gives the words for it and the order as it is then. What the words don't name stays.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from deploy.demo.text import columns, customers, goods, order_days, order_items, pools
from deploy.demo.text.order_mails import Order, quantity
from deploy.demo.text.phrasing import PART, Phrases

Change = Callable[[Random, Phrases, Order], tuple[str, Order]]
_MOST = 4  # items of an order
_STYLES = ("digits", "digits", "digits", "words", "words", "times", "units")  # of an item that is added


def change(
    rng: Random, phrases: Phrases, order: Order, but: Change | None = None
) -> tuple[str, Order, Change]:
    """A change of ``order``, its words as a part of a sentence, and which it was.

    ``but``: the one that stands beside it, so this is another one and not of an item too.
    """
    makers = [
        made for made in _CHANGES if made is not but and (but not in _OF_ITEMS or made not in _OF_ITEMS)
    ]
    if len(order.items) < 2:
        makers = [made for made in makers if made is not _less]
    if len(order.items) >= _MOST:
        makers = [made for made in makers if made is not _more]
    if order.yearless is not None and but is None and rng.random() < 0.7:
        makers = [order_days.day]
    maker = pools.pick(rng, makers)
    words, changed = maker(rng, phrases, order)
    return words + PART, changed, maker


def same(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    """The same things for somebody else somewhere else."""
    name = customers.customer(rng, phrases.language, "train")
    city = pools.city(rng, phrases.language, "train")
    words = phrases.raw(rng, "same", name=name, city=city)
    return words + PART, replace(order, customer=name, city=city)


def _amount(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    at = int(rng.random() * len(order.items))
    product, old = order.items[at]
    new = old
    while new == old:
        new = quantity(rng) if rng.random() < 0.5 else 1 + int(rng.random() * 12)
    values = {"q": _count(rng, phrases, new), "old_q": str(old)}
    if phrases.language == "zh":
        values["m"] = phrases.plain(rng, "m") + PART
    if len(order.items) == 1 and rng.random() < 0.6:
        words = phrases.raw(rng, "change_amount", **values)
    else:
        called = _called(rng, phrases, order, at)
        if phrases.language == "en" and new > 1 and rng.random() < 0.6:
            called = goods.plural(called)
        words = phrases.raw(rng, "change_amount_of", p=called, **values)
    return words, _with_item(order, at, (product, new))


def _city(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    city = pools.city(rng, phrases.language, "train")
    if rng.random() < 0.15:
        city = city.lower()
    words = phrases.raw(rng, "change_city", city=city, old_city=order.city)
    return words, replace(order, city=city)


def _name(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    name = customers.customer(rng, phrases.language, "train")
    words = phrases.raw(rng, "change_name", name=name, old_name=order.customer)
    return words, replace(order, customer=name)


def _product(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    at = int(rng.random() * len(order.items))
    new, number = _new_product(rng, phrases, order), order.items[at][1]
    if phrases.language == "en" and number > 1 and rng.random() < 0.85:
        new = goods.plural(new)
    if len(order.items) == 1 and rng.random() < 0.3:
        words = phrases.raw(rng, "change_product_alone", new=new)
    else:
        words = phrases.raw(rng, "change_product", new=new, p=_called(rng, phrases, order, at))
    return words, _with_item(order, at, (new, number))


def _more(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    number = quantity(rng) if rng.random() < 0.4 else 1 + int(rng.random() * 9)
    style = pools.pick(rng, _STYLES)
    shown, product = order_items.written(
        rng, phrases.language, _new_product(rng, phrases, order), number, style
    )
    words = phrases.raw(rng, "add", item=shown)
    return words, replace(order, items=(*order.items, (product, number)))


def _less(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    at = int(rng.random() * len(order.items))
    called = _called(rng, phrases, order, at)
    if rng.random() < 0.2:
        return phrases.raw(rng, "only", p=called), replace(order, items=(order.items[at],))
    items = tuple(item for number, item in enumerate(order.items) if number != at)
    return phrases.raw(rng, "remove", p=called), replace(order, items=items)


_CHANGES: tuple[Change, ...] = (  # as often as each is drawn
    *(3 * (_amount,)),
    *(3 * (order_days.day,)),
    *(3 * (_city,)),
    *(2 * (_name,)),
    _product,
    *(3 * (_more,)),
    *(2 * (_less,)),
)
_OF_ITEMS: tuple[Change, ...] = (_amount, _product, _more, _less)


def _with_item(order: Order, at: int, item: tuple[str, int]) -> Order:
    return replace(order, items=(*order.items[:at], item, *order.items[at + 1 :]))


def _new_product(rng: Random, phrases: Phrases, order: Order) -> str:
    """A product of which no word ends one that is ordered already."""
    while True:
        made = pools.product(rng, phrases.language, "train")
        if not any(made[-2:].lower() == product[-2:].lower() for product, _ in order.items):
            return made


def _called(rng: Random, phrases: Phrases, order: Order, at: int) -> str:
    """The product of item ``at`` as one speaks of it: in full, or by its last word if no other has it."""
    product, others = order.items[at][0], [p.lower() for n, (p, _) in enumerate(order.items) if n != at]
    if phrases.language == "zh":
        short = max((thing for thing in goods.ZH_THINGS if product.endswith(thing)), key=len, default=product)
    else:
        short = product.rpartition(" ")[2]
        product = product.lower() if rng.random() < 0.3 else product
    known = short.isalpha() and not any(short.lower() in other for other in others)
    return short if known and rng.random() < 0.4 else product


def _count(rng: Random, phrases: Phrases, number: int) -> str:
    if rng.random() < 0.75 or number > 99:
        return str(number)
    if phrases.language == "zh":
        return "两" if number == 2 else columns.chinese(number)
    return columns.english(number)
