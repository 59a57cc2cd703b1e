"""What somebody says of the day of an order that was told: another one, another month, none.

A day without month or year is one of the month and the year that the order has.
"""

import calendar
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from random import Random

from deploy.demo.text import columns, dates, pools
from deploy.demo.text.order_mails import Order
from deploy.demo.text.phrasing import Phrases


def day(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    """The words for another day than that of ``order``, and the order as it is then."""
    if order.date is None and order.yearless is not None and rng.random() < 0.7:
        return _year_told(rng, phrases, order, date.fromisoformat(order.yearless))
    if order.date is None:
        if order.yearless is None and rng.random() < 0.12:  # no year, so still no date
            return phrases.raw(
                rng, "change_day_month", day_month=_day_month(rng, phrases, pools.day(rng, "train"))
            ), order
        return _full_day(rng, phrases, order)
    draw, old = rng.random(), date.fromisoformat(order.date)
    if draw < 0.1:
        return phrases.raw(rng, "change_no_day"), replace(order, date=None, yearless=None)
    if draw < 0.45:
        return _full_day(rng, phrases, order)
    if draw < 0.75:
        new = _other(rng, old, lambda: old.replace(day=_day_of(rng, old.year, old.month)))
        words = phrases.raw(
            rng, "change_day_only", day=_nth(rng, phrases, new), old_day=_nth(rng, phrases, old)
        )
    elif draw < 0.93 or old.day > 28:
        month = 1 + int(rng.random() * 12)
        new = _other(rng, old, lambda: date(old.year, month, _day_of(rng, old.year, month)))
        words = phrases.raw(rng, "change_day_month", day_month=_day_month(rng, phrases, new))
    elif draw < 0.97:
        new = _other(rng, old, lambda: old.replace(month=1 + int(rng.random() * 12)))
        words = phrases.raw(
            rng,
            "change_month",
            month=dates.month(phrases.language, new),
            old_month=dates.month(phrases.language, old),
        )
    else:
        new = _other(rng, old, lambda: old.replace(year=2024 + int(rng.random() * 12)))
        words = phrases.raw(rng, "change_year", year=_year(phrases, new), old_year=_year(phrases, old))
    return words, replace(order, date=new.isoformat(), yearless=None)


def _year_told(rng: Random, phrases: Phrases, order: Order, new: date) -> tuple[str, Order]:
    """The year of a day that the e-mail names without it."""
    words = phrases.raw(rng, "give_year", year=_year(phrases, new), day_month=_day_month(rng, phrases, new))
    return words, replace(order, date=new.isoformat(), yearless=None)


def _year(phrases: Phrases, when: date) -> str:
    return f"{when.year}年" if phrases.language == "zh" else str(when.year)


def _full_day(rng: Random, phrases: Phrases, order: Order) -> tuple[str, Order]:
    new = pools.day(rng, "train")
    words = phrases.raw(rng, "change_day", date=dates.full(rng, phrases.language, new))
    return words, replace(order, date=new.isoformat(), yearless=None)


def _nth(rng: Random, phrases: Phrases, when: date) -> str:
    if phrases.language == "zh":
        number = str(when.day) if rng.random() < 0.75 else columns.chinese(when.day)
        return number + pools.pick(rng, "号号日")
    return dates.ordinal(when.day)


def _day_month(rng: Random, phrases: Phrases, when: date) -> str:
    month = dates.month(phrases.language, when)
    if phrases.language == "zh":
        return f"{month}{when.day}{pools.pick(rng, '日号')}"
    form = pools.pick(rng, ["{d} {m}", "{m} {d}", "{th} {m}", "{m} {th}", "the {th} of {m}"])
    return form.format(d=when.day, th=dates.ordinal(when.day), m=month)


def _day_of(rng: Random, year: int, month: int) -> int:
    return 1 + int(rng.random() * calendar.monthrange(year, month)[1])


def _other(rng: Random, old: date, make: Callable[[], date]) -> date:
    """What ``make`` gives, until it is not ``old`` and not held out."""
    while True:
        new = make()
        if new != old and not pools.is_held_out(new.isoformat()):
            return new
