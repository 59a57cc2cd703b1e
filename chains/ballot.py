"""What of an answer is voted on, so that answers that say the same are one and others stay apart."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from fractions import Fraction
from typing import Literal

VoteOn = Literal["text", "number"]

_WRITTEN_AS = str.maketrans("−–—⁄‘’", "---/''")  # one sign for each meaning
_POWER = re.compile(r"[⁺⁻⁰¹²³⁴-⁹]+")  # which NFKC would write as a plain number
_VULGAR = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")  # 1½ is 1 1/2
_TEX_FRACTION = re.compile(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}")
_QUOTED = re.compile(r"(?<![\w*])(\*{1,3}|[\"'`])(?=\S)(.{1,500}?)(?<=\S)\1(?![\w*])", re.DOTALL)
_QUOTES = re.compile("[“”„«»「」『』]")
_PUNCTUATION = ".!?,;:。、"
_BETWEEN = re.compile(r"(?<=[^\s.,;。、])[.,;。、]+(?=\s)")
_SIGN = re.compile(r" ?([^\w\s]) ?")

_AMOUNT = r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+)(?:e[-+]?\d{1,2}(?!\d))?"
_JOINED = r"(?: [-/:^×*] |[-/:^×*.,])"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w)\]^])[-+])?[$€£¥]?(?<![a-z_^\d])(?<!\d\.)(?<!\^-)"
    rf"(?P<whole>\d+ )?(?P<first>{_AMOUNT})(?P<rest>(?:{_JOINED}-?{_AMOUNT})*)",
    re.I,
)
_LONGEST = 100  # characters; what is longer is compared as it was written


def ballot(answer: str, on: VoteOn) -> str | None:
    """What of ``answer`` is voted on: equal for answers that say the same. None: there is no answer.

    ``text``: without case, width, quotation marks, emphasis, punctuation at the end of a part, and spaces
    that part nothing. Signs stay: C++ is not C.

    ``number``: the last number by its value, so 1/2 is 0.5 and 1,000 is 1000; the text where there is none.
    A percent sign is a unit like any other: 50% is 50, as graders of word problems have it (Hendrycks et al.
    2021, arXiv:2103.03874, whose ``math_equivalence`` takes it off). Numbers joined in another way (a range
    10-20, a time 12:30, a power 10^3) stand together, as written. A minus is a sign only where it joins
    nothing; a number behind a letter (CO2, m²) is part of a word.
    """
    powers = _POWER.sub(lambda match: f"^{match[0]}", answer)
    plain = unicodedata.normalize("NFKC", _VULGAR.sub(" ", powers)).translate(_WRITTEN_AS)
    if on == "number":
        numbers = deque(_NUMBER.finditer(_TEX_FRACTION.sub(r"\1/\2", plain)), maxlen=1)
        if numbers:
            return _read(numbers[0])
    return _words(plain)


def _words(plain: str) -> str | None:
    bare = " ".join(_QUOTES.sub("", plain).split())
    while (shorter := _QUOTED.sub(r"\2", bare)) != bare:
        bare = shorter
    bare = _BETWEEN.sub("", bare.casefold()).rstrip(_PUNCTUATION + " ")
    return _SIGN.sub(r"\1", bare).strip() or None


def _read(match: re.Match[str]) -> str:
    """A number or a fraction by its value, other numbers that are joined as they were written."""
    sign = "-" if match["sign"] == "-" else ""
    first, rest = match["first"].lower(), re.sub(r"\s", "", match["rest"].lower())
    if len(first) + len(rest) > _LONGEST:
        return sign + first + rest
    if not rest:
        return sign + _plain(_value(first)) if _value(first) else "0"  # there is no -0
    if rest.startswith("/") and re.fullmatch(_AMOUNT, rest[1:]) and (below := _value(rest[1:])):
        value = _value(first) / below
        mixed = match["whole"] is not None and value < 1 and len(match["whole"]) < _LONGEST
        return sign + _plain(value + int(match["whole"]) if mixed else value)
    return sign + first + rest


def _value(amount: str) -> Fraction:
    return Fraction(amount.replace(",", ""))


def _plain(value: Fraction) -> str:
    """``value`` as a decimal, or as a fraction where that has no end."""
    places = next((n for n in range(_LONGEST) if 10**n % value.denominator == 0), None)
    if places is None:
        return f"{value.numerator}/{value.denominator}"
    digits = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
