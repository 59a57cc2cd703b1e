"""What stands in requests and results of clients' tools: one value of each kind that a family names."""

from collections.abc import Callable, Mapping
from random import Random

from deploy.demo.text import pools
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Split

Value = str | int | float | bool
Kind = str | list[str]  # a name of ``_KINDS``, or what one chooses from


def written(each: Value) -> str:
    """A value as a request writes it."""
    return f"{each:.2f}" if isinstance(each, float) else str(each)


def value(rng: Random, kind: Kind, language: Language, split: Split) -> Value:
    """One value of a kind. Raises KeyError for a kind that there is none of."""
    return pools.pick(rng, kind) if isinstance(kind, list) else _KINDS[kind](rng, language, split)


def _text(rng: Random, language: Language, split: Split) -> str:
    """A short sentence without quotes, about things and people."""
    return Phrases.load("generic", language).plain(
        rng,
        "sentence",
        who=pools.person(rng, language, split),
        town=pools.city(rng, language, split),
        thing=pools.product(rng, language, split),
        n=str(2 + int(rng.random() * 60)),
    )


def told(rng: Random, language: Language, split: Split) -> str:
    """A tool's answer in a few words, with the marks that a value may hold: a score, a price, a time."""
    return _said(rng, "told", language, split)


def _topic(rng: Random, language: Language, split: Split) -> str:
    """Something to look up."""
    return _said(rng, "topic", language, split)


def _said(rng: Random, rule: str, language: Language, split: Split) -> str:
    return Phrases.load("generic", language).plain(
        rng,
        rule,
        who=pools.person(rng, language, split),
        town=pools.city(rng, language, split),
        place=str(_KINDS["country"](rng, language, split)),
        thing=pools.product(rng, language, split),
        word=_word(rng, language, split),
        word2=_word(rng, language, split),
        time=str(_KINDS["time"](rng, language, split)),
        n=str(1 + int(rng.random() * 60)),
        d=str(int(rng.random() * 10)),
        d2=str(int(rng.random() * 10)),
    )


def _word(rng: Random, language: Language, split: Split) -> str:
    def make(r: Random) -> str:
        if language == "zh" and r.random() < 0.8:
            return pools.hanzi(r, 2 + int(r.random() * 3))
        return pools.word(r) if r.random() < 0.7 else f"{pools.word(r)} {pools.word(r)}".title()

    return pools.draw(rng, split, make)


def _place(rng: Random, language: Language, split: Split) -> str:
    """A town, at times with the country or the letters of a state behind it."""
    town = pools.city(rng, language, split)
    if (draw := rng.random()) > 0.1:
        return town
    if language == "zh":
        return f"{_KINDS['country'](rng, language, split)}{town}"
    letters = "".join(pools.pick(rng, "ABCDEFGHIKLMNOPRSTUVWXYZ") for _ in range(2))
    return f"{town}, {letters if draw < 0.06 else _KINDS['country'](rng, language, split)}"


def _email(rng: Random, language: Language, split: Split) -> str:
    return f"{_ascii(rng, split)}@{_ascii(rng, split)}.{pools.pick(rng, ('com', 'org', 'de', 'cn', 'net'))}"


def _url(rng: Random, language: Language, split: Split) -> str:
    return f"https://{_ascii(rng, split)}.{pools.pick(rng, ('com', 'org', 'io'))}/{_ascii(rng, split)}"


def _ascii(rng: Random, split: Split) -> str:
    return pools.draw(rng, split, pools.word)


def _one_of(en: str, zh: str) -> Callable[[Random, Language, Split], str]:
    options: Mapping[Language, list[str]] = {"en": en.split("/"), "zh": zh.split("/")}
    return lambda rng, language, split: pools.pick(rng, options[language])


_KINDS: Mapping[str, Callable[[Random, Language, Split], Value]] = {
    "city": _place,
    "person": pools.person,
    "product": pools.product,
    "word": _word,
    "code": lambda rng, language, split: pools.draw(rng, split, pools.code),
    "integer": lambda rng, language, split: int(10 ** (rng.random() * 4)),
    "small": lambda rng, language, split: 1 + int(rng.random() * 30),
    "amount": lambda rng, language, split: round(1 + 10 ** (rng.random() * 3.5), 2),
    "date": lambda rng, language, split: pools.day(rng, split).isoformat(),
    "time": lambda rng, language, split: f"{int(rng.random() * 24):02d}:{5 * int(rng.random() * 12):02d}",
    "email": _email,
    "phone": lambda rng, language, split: f"0{10**8 + int(rng.random() * 9e8)}",
    "url": _url,
    "language": _one_of(
        "English/French/German/Spanish/Italian/Chinese/Japanese/Korean/Dutch/Polish/Greek/Turkish",
        "英语/法语/德语/西班牙语/意大利语/汉语/日语/韩语/荷兰语/波兰语/希腊语/土耳其语",
    ),
    "currency": _one_of("USD/EUR/GBP/CHF/JPY/CNY/SEK/INR", "USD/EUR/GBP/CNY/JPY/美元/欧元/日元/英镑"),
    "country": _one_of(
        "France/Spain/Italy/Norway/Peru/Kenya/Japan/Canada/Poland/Chile/Egypt/Vietnam",
        "法国/西班牙/意大利/挪威/秘鲁/肯尼亚/日本/加拿大/波兰/智利/埃及/越南",
    ),
    "text": _text,
    "topic": _topic,
    "true_false": lambda rng, language, split: rng.random() < 0.5,
}
