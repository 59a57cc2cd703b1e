"""How an order writes a date: in full, or without its year."""

from datetime import date
from random import Random

from deploy.demo.text import columns, pools
from deploy.demo.text.sample import Language

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


def partial(rng: Random, language: Language, when: date) -> str:
    """A date without its year, which is no full date."""
    if language == "zh":
        day = f"{when.month}月{when.day}{pools.pick(rng, '日号')}"
        return day if rng.random() < 0.6 else pools.pick(rng, _ZH_VAGUE)
    name = month(language, when)
    named = [f"{when.day} {name}", f"{name} {when.day}", _DAYS[when.weekday()], name]
    return pools.pick(rng, named if rng.random() < 0.75 else _VAGUE)


def names_a_day(language: Language, text: str) -> bool:
    """Whether ``text``, which :func:`partial` gave, names a day and its month."""
    if language == "zh":
        return "月" in text and text[-1] in "日号" and text[0].isdecimal()
    return any(month in text for month in _MONTHS) and any(char.isdecimal() for char in text)


def full(rng: Random, language: Language, when: date) -> str:
    if language == "zh":
        return pools.pick(rng, _ZH_DATE_FORMS).format(
            y=when.year,
            m=when.month,
            d=when.day,
            w="一二三四五六日"[when.weekday()],
            year="".join("零一二三四五六七八九"[int(digit)] for digit in str(when.year)),
            month=columns.chinese(when.month),
            day=columns.chinese(when.day),
        )
    name, number = _MONTHS[when.month - 1], when.day
    return pools.pick(rng, _DATE_FORMS).format(
        y=when.year,
        m=when.month,
        d=number,
        month=name,
        mon=_short(rng, name),
        th=_ending(number),
        day=_DAYS[when.weekday()],
        short=_DAYS[when.weekday()][:3],
    )


def month(language: Language, when: date) -> str:
    """The month of ``when`` by its name: ``May``, ``5月``."""
    return f"{when.month}月" if language == "zh" else _MONTHS[when.month - 1]


def ordinal(number: int) -> str:
    """``number`` as one counts days: ``1st``."""
    return f"{number}{_ending(number)}"


def _ending(number: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in {11, 12, 13} else 0, "th")


def _short(rng: Random, month: str) -> str:
    """``Mar``, at times ``Mar.``; ``Sept`` is as usual as ``Sep``."""
    short = month[:4] if month == "September" and rng.random() < 0.5 else month[:3]
    return f"{short}." if month != "May" and rng.random() < 0.1 else short


_VAGUE = (
    "the weekend",
    "next week",
    "the end of the month",
    "next Friday",
    "tomorrow",
    "Easter",
    "the holidays",
    "noon tomorrow",
    "the 15th",
    "mid-March",
)
_ZH_VAGUE = (
    "周末",
    "下周",
    "月底",
    "下周三",
    "明天",
    "国庆",
    "春节",
    "后天",
    "15号",
    "礼拜五",
    "下个月初",
    "中秋",
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
    "{month} the {d}{th}, {y}",
    "{d}{th} {mon} {y}",
    "{d}-{mon}-{y}",
    "{d}/{m}/{y}",
    "{d:02}-{m:02}-{y}",
    "{y}.{m:02}.{d:02}",
    "{short} {d} {mon} {y}",
    "{day} the {d}{th} of {month} {y}",
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
    "{y}年{m}月{d}日（周{w}）",
    "{y}年{m}月{d}日星期{w}",
    "{y}-{m}-{d}",
    "{y}.{m:02}.{d:02}",
    "{y}{m:02}{d:02}",
    "{year}年{month}月{day}日",
)
