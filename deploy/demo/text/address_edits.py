"""A slip in an address and what it should have been: a number, a word, or a part that was left out."""

import re
from dataclasses import dataclass
from random import Random
from string import ascii_letters
from typing import Literal

from deploy.demo.text import pools

_Kind = Literal["house", "number", "word", "part"]
_DOOR = r"(?i:\b(?:flat|apt|unit|room|suite|studio|floor)\b)"
_ENGLISH: dict[_Kind, re.Pattern[str]] = {
    "house": re.compile(r"^\d+[A-Za-z]?(?= )"),
    "number": re.compile(r"(?<![\w/-])\d+[A-Za-z]?(?![\w/-])"),
    "word": re.compile(
        rf"(?<=, )(?!{_DOOR}|USA\b)[^\W\d_]{{3,}}(?: [^\W\d_]{{2,}})*(?=,|$| [A-Z\d])",
    ),
}
_CHINESE: dict[_Kind, re.Pattern[str]] = {
    "house": re.compile(r"(?<=[路街道巷弄村组])\d+(?:号楼|号|组|弄)"),
    "number": re.compile(r"\d+(?:号楼|[号室楼层栋幢座弄组])"),
    "word": re.compile(r"(?:(?<=^)|(?<=[省市 ，]))[\u4e00-\u9fff]{2,3}?[市区县]"),
}
_DISTRICTS = ("朝阳", "西湖", "南山", "武昌", "江北", "城东", "高新", "浦东新", "天河")
_NUMBER = re.compile(r"\d+[A-Za-z]?")


@dataclass(frozen=True, slots=True)
class Edit:
    """``old`` in an address is to be ``new``; the address is then ``address``."""

    kind: _Kind  # a house number stands where one looks for it
    old: str  # "" for a part that was left out
    new: str
    address: str


def slip(rng: Random, address: str) -> Edit | None:
    """One thing in ``address`` changed that stands there once; None if there is nothing to change."""
    english = address.isascii() or not re.search("[\u4e00-\u9fff]", address)
    found: list[Edit] = []
    for kind, pattern in (_ENGLISH if english else _CHINESE).items():
        for match in pattern.finditer(address):
            old = match.group()
            if address.count(old) > 1:
                continue
            new = _other_word(rng, old, english) if kind == "word" else _other_number(rng, old)
            changed = address[: match.start()] + new + address[match.end() :]
            if kind != "word" and rng.random() < 0.4 and address.count(_number(old)) == 1:
                old, new = _number(old), _number(new)  # said without its 号
            found.append(Edit(kind, old, new, changed))
    if found and found[0].kind == "house" and rng.random() < 0.4:
        return found[0]  # what people get wrong most
    return rng.choice(found) if found else None


def forgotten(rng: Random, address: str) -> Edit | None:
    """A door that was left out of ``address``; None if it names one, or is not the kind to have one."""
    if address.isascii():
        if not re.match(r"\d+[A-Za-z]? ", address) or re.search(rf"#|{_DOOR}", address):
            return None
        door = rng.choice(("Flat", "flat", "Apt", "apartment", "Room", "Unit", "door"))
        part = f"{door} {rng.randint(1, 90)}{rng.choice(('', '', 'A', 'b'))}"
        return Edit("part", "", part, f"{address}, {part}")
    if not address.endswith("号"):
        return None
    room = f"{rng.randint(1, 30)}0{rng.randint(1, 8)}"
    part = rng.choice(
        (f"{room}室", f"{rng.randint(1, 30)}栋{room}室", f"{rng.randint(1, 6)}单元{room}", "东门")
    )
    return Edit("part", "", part, address + part)


def _number(text: str) -> str:
    found: list[str] = _NUMBER.findall(text)
    return found[0]


def _other_number(rng: Random, old: str) -> str:
    """Another number: often the digits of the old one, mistyped."""
    digits = _number(old).rstrip(ascii_letters)
    kind, new = rng.random(), digits
    if kind < 0.45:
        new = digits[::-1].lstrip("0")
    elif kind < 0.7:
        at = rng.randrange(len(digits))
        new = digits[:at] + str(rng.randint(1, 9)) + digits[at + 1 :]
    elif kind < 0.8:
        new = digits + str(rng.randint(0, 9))
    while new == digits or not new:
        new = str(rng.randint(1, 320))
    return old.replace(digits, new)


def _other_word(rng: Random, old: str, english: bool) -> str:
    if english:
        new = pools.city(rng, "en", "train")
        return new.lower() if old.islower() else new
    new = pools.hanzi(rng, 2) if rng.random() < 0.5 else pools.pick(rng, _DISTRICTS)
    return new + old[-1]
