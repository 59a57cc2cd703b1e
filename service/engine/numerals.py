"""Numbers that XGrammar's JSON schemas can't say, as rules of its grammars.

It has no ``multipleOf`` of fractions, and of the values of an ``enum`` or ``const`` it writes 19.99 as
19.989999999999998. In a schema texts stand for them, which :func:`spelled` then replaces in the grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeGuard

from chains.schemas.multiples import KEYWORDS, Decimals, decimals
from chains.schemas.subschemas import rebuilt

_MARK = "pointsman-number-{}-"  # in a schema
_MARKED = re.compile(r'"(?:\\")?pointsman-number-(\d{1,9})-(?:\\")?"')  # in a grammar, quoted in JSON or not
_RULE = "pointsman_number_{}"  # in a grammar
_DIGITS = "0123456789"


def marked(schema: Any) -> tuple[Any, list[str]]:
    """``schema``, which stays as it is, with texts for such numbers, and the rule of each."""
    rules: dict[str, int] = {}

    def mark(rule: str) -> str:
        return _MARK.format(rules.setdefault(rule, len(rules)))

    def change(part: dict[str, Any]) -> None:
        if (numbers := decimals(part)) is not None:
            for key in KEYWORDS & part.keys():
                del part[key]
            del part["type"]
            part["const"] = mark(rule_of(numbers))
        elif isinstance(values := part.get("enum"), list) and any(map(_is_fraction, values)):
            part.pop("type", None)
            part["enum"] = [mark(_text(value)) if _is_fraction(value) else value for value in values]
        elif _is_fraction(value := part.get("const")):
            part.pop("type", None)
            part["const"] = mark(_text(value))

    return rebuilt(schema, change), list(rules)


def spelled(grammar: str, rules: Sequence[str]) -> str:
    """``grammar``, in XGrammar's EBNF and of a schema that was marked, with its ``rules``."""

    def name(mark: re.Match[str]) -> str:
        return _RULE.format(mark[1]) if int(mark[1]) < len(rules) else mark[0]

    said = _MARKED.sub(name, grammar)
    return "\n".join([said, *(f"{_RULE.format(index)} ::= {rule}" for index, rule in enumerate(rules)), ""])


def rule_of(numbers: Decimals) -> str:
    """What ``numbers`` are written as, without an exponent; zeros at the end may be left out."""
    ways = []
    if numbers.most is None or numbers.most >= 0:
        ways += _magnitudes(max(numbers.least or 0, 0), numbers.most, numbers)
    if numbers.least is None or numbers.least < 0:
        least = 1 if numbers.most is None else max(1, -numbers.most)
        most = None if numbers.least is None else -numbers.least
        ways += [f'"-" {_either(_magnitudes(least, most, numbers))}']
    return _either(ways)


def _magnitudes(least: int, most: int | None, numbers: Decimals) -> list[str]:
    """Ways to write ``least`` to ``most`` parts."""
    last = numbers.parts - 1
    first, begins = divmod(least, numbers.parts)
    final, ends = (None, last) if most is None else divmod(most, numbers.parts)
    if first == final:
        return [f'"{first}" {_behind(begins, ends, numbers)}']
    ways = []
    if begins > 0:
        ways.append(f'"{first}" {_behind(begins, last, numbers)}')
        first += 1
    if final is not None and ends < last:
        ways.append(f'"{final}" {_behind(0, ends, numbers)}')
        final -= 1
    if final is None or first <= final:
        ways.append(f"{_either(list(_wholes(first, final)))} {_behind(0, last, numbers)}")
    return ways


def _behind(begins: int, ends: int, numbers: Decimals) -> str:
    """The point and what is behind it, of ``begins`` to ``ends`` parts."""
    step = 10**numbers.digits // numbers.parts
    said = _some(begins * step, ends * step, step, numbers.digits)
    return _either(["" if begins > 0 else '""', f'"." {said}'])


@lru_cache(maxsize=1024)
def _some(low: int, high: int, step: int, digits: int) -> str:
    """``low``, ``low`` + ``step`` and so on to ``high``, of so many ``digits``; zeros at the end may go."""
    block = 10 ** (digits - 1)
    by_rest: dict[tuple[int, int], str] = {}
    for digit in range(low // block, high // block + 1):
        begins = digit * block
        least = max(low, low - (low - begins) // step * step)
        most = low + (min(high, begins + block - 1) - low) // step * step
        if least <= most:
            rest = (least - begins, most - begins)
            by_rest[rest] = by_rest.get(rest, "") + str(digit)
    if digits == 1:
        return _either([f"[{first}]" for first in by_rest.values()])
    ways = []
    for (least, most), firsts in by_rest.items():
        more = _some(least, most, step, digits - 1)
        ends = '"" | ' if least == 0 else ""
        ways.append(f"[{firsts}] ({ends}{more})")
    return _either(ways)


def _wholes(least: int, most: int | None) -> Iterator[str]:
    """Ways to write the whole numbers from ``least`` on, to ``most``."""
    short = len(str(least))
    if most is None or len(str(most)) > short:
        yield _digits(str(least), "9" * short)
        if most is None:
            yield f"[1-9] [0-9]{{{short},}}"
            return
        long = len(str(most))
        if long - 1 > short:
            yield f"[1-9] [0-9]{{{short},{long - 2}}}"
        yield _digits("1" + "0" * (long - 1), str(most))
    else:
        yield _digits(str(least), str(most))


def _digits(low: str, high: str) -> str:
    """The texts of digits from ``low`` to ``high``, which are as long as each other."""
    if not low:
        return ""
    rest = len(low) - 1
    if set(low[1:]) <= {"0"} and set(high[1:]) <= {"9"}:
        return f"[{low[0]}-{high[0]}]" + (f" [0-9]{{{rest}}}" if rest else "")
    if low[0] == high[0]:
        return f'"{low[0]}" {_digits(low[1:], high[1:])}'
    ways = [f'"{low[0]}" {_digits(low[1:], "9" * rest)}']
    if between := _DIGITS[int(low[0]) + 1 : int(high[0])]:
        ways.append(f"[{between}] [0-9]{{{rest}}}")
    return _either([*ways, f'"{high[0]}" {_digits("0" * rest, high[1:])}'])


def _either(ways: Sequence[str]) -> str:
    kept = [way for way in ways if way]
    return f"({' | '.join(kept)})"


def _is_fraction(value: object) -> TypeGuard[float]:
    return isinstance(value, float) and not value.is_integer()


def _text(value: float) -> str:
    return f'"{json.dumps(value)}"'
