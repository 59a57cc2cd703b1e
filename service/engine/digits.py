"""Rules of XGrammar's grammars for the multiples of a step, digit by digit as JSON has them.

What stands before the point is told apart by the rest that it leaves when divided by the step, one rule for
each; so each digit leads to the next rest, and behind the point stands what makes the rest none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from chains.schemas.multiples import Decimals

ITSELF = "@"  # the name of a rule, in its text
_DIGITS = "0123456789"


def rule_of(numbers: Decimals) -> str:
    """What ``numbers`` are written as, without an exponent; zeros at the end may be left out.

    Rules that it refers to follow in lines of their own; their names begin with its own.
    """
    said, ways = _Said(numbers), list[str]()
    if numbers.most is None or numbers.most >= 0:
        ways += said.magnitudes(max(numbers.least or 0, 0), numbers.most)
    if numbers.least is None or numbers.least < 0:
        least = numbers.step if numbers.most is None else max(numbers.step, -numbers.most)
        most = None if numbers.least is None else -numbers.least
        ways += [f'"-" {_either(said.magnitudes(least, most))}']
    said.close()
    return "\n".join([_either(ways), *(f"{name} ::= {rule}" for name, rule in said.rules.items())])


class _Said:
    """Ways to write magnitudes, and the rules that they refer to. None stands for what leads nowhere."""

    def __init__(self, numbers: Decimals) -> None:
        self.rules: dict[str, str] = {}  # by name
        self._step, self._digits, self._scale = numbers.step, numbers.digits, 10**numbers.digits
        self._rests = numbers.rests
        self._dead: set[str] = set()  # names of what leads nowhere
        self._open: dict[str, int] = {}  # names whose rules are to be written, and their rests

    def magnitudes(self, least: int, most: int | None) -> list[str]:
        """Ways to write those from ``least`` to ``most``, counted in the last digit."""
        last = self._scale - 1
        first, begins = divmod(least, self._scale)
        final, ends = (None, last) if most is None else divmod(most, self._scale)
        if first == final:
            return _kept([self._edge(first, begins, ends)])
        ways = []
        if begins > 0:
            ways.append(self._edge(first, begins, last))
            first += 1
        if final is not None and ends < last:
            ways.append(self._edge(final, 0, ends))
            final -= 1
        if final is None or first <= final:
            ways += self._wholes(first, final)
        return _kept(ways)

    def close(self) -> None:
        """Write the rules of any number of digits, which refer to each other."""
        while self._open:
            name, rest = self._open.popitem()
            if name not in self.rules:
                self.rules[name] = _either(_kept([self._tail(rest), self._next(_DIGITS, rest, 0, None)]))

    def _edge(self, whole: int, begins: int, ends: int) -> str | None:
        """``whole`` and what may stand behind its point, of ``begins`` to ``ends``."""
        return _behind(f'"{whole}"', self._fraction(whole % self._rests, begins, ends))

    def _fraction(self, rest: int, begins: int, ends: int) -> str | None:
        """The point and what is behind it, where what is before it leaves ``rest``."""
        low = begins + -(rest * self._scale + begins) % self._step
        if low > ends:
            return None
        if self._digits == 0:
            return '""'
        high = low + (ends - low) // self._step * self._step
        said = f'"." {_some(low, high, self._step, self._digits)}'
        return _either(['""', said] if low == 0 else [said])

    def _tail(self, rest: int) -> str | None:
        """Any fraction, by a rule of its own where there are many."""
        name = f"{ITSELF}_{rest}"
        if name in self.rules:
            return name
        said = self._fraction(rest, 0, self._scale - 1)
        if said is None or self._rests == 1 or self._digits == 0:
            return said
        self.rules[name] = said
        return name

    def _wholes(self, least: int, most: int | None) -> Iterator[str | None]:
        """Numbers whose part before the point is from ``least`` on, to ``most``."""
        short, long = len(str(least)), None if most is None else len(str(most))
        if long == short:
            yield self._between(str(least), str(most), 0)
            return
        yield self._between(str(least), "9" * short, 0)
        if long is None:
            yield self._next(_DIGITS[1:], 0, short, None)
            return
        if long - 1 > short:
            yield self._next(_DIGITS[1:], 0, short, long - 2)
        yield self._between("1" + "0" * (long - 1), str(most), 0)

    def _between(self, low: str, high: str, rest: int) -> str | None:
        """Digits from ``low`` to ``high``, as many, behind those that leave ``rest``; and a fraction."""
        if not low:
            return self._tail(rest)
        more = len(low) - 1
        if set(low[1:]) <= {"0"} and set(high[1:]) <= {"9"}:
            return self._next(_DIGITS[int(low[0]) : int(high[0]) + 1], rest, more, more)

        def edge(digit: str, least: str, most: str) -> str | None:
            return _behind(f'"{digit}"', self._between(least, most, self._after(rest, digit)))

        if low[0] == high[0]:
            return edge(low[0], low[1:], high[1:])
        within = self._next(_DIGITS[int(low[0]) + 1 : int(high[0])], rest, more, more)
        return _any([edge(low[0], low[1:], "9" * more), within, edge(high[0], "0" * more, high[1:])])

    def _next(self, digits: str, rest: int, least: int, most: int | None) -> str | None:
        """One of ``digits``, and then what is free."""
        by: dict[int, str] = {}
        for digit in digits:
            after = self._after(rest, digit)
            by[after] = by.get(after, "") + digit
        return _any([_behind(f"[{some}]", self._free(after, least, most)) for after, some in by.items()])

    def _free(self, rest: int, least: int, most: int | None) -> str | None:
        """``least`` to ``most`` digits more, and a fraction."""
        if most == 0:
            return self._tail(rest)
        if self._rests == 1:
            return _behind(f"[0-9]{{{least},{'' if most is None else most}}}", self._tail(0))
        name = f"{ITSELF}_{rest}_{least}_{'' if most is None else most}"
        if most is None and least == 0:  # from where digits lead to every rest
            self._open[name] = rest
            return name
        if name not in self.rules and name not in self._dead:
            fewer = self._next(_DIGITS, rest, max(0, least - 1), None if most is None else most - 1)
            rule = _any([self._tail(rest) if least == 0 else None, fewer])
            if rule is None:
                self._dead.add(name)
            else:
                self.rules[name] = rule
        return None if name in self._dead else name

    def _after(self, rest: int, digit: str) -> int:
        return (rest * 10 + int(digit)) % self._rests


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


def _behind(first: str, then: str | None) -> str | None:
    return None if then is None else f"{first} {then}"


def _any(ways: Iterable[str | None]) -> str | None:
    kept = _kept(ways)
    return _either(kept) if kept else None


def _kept(ways: Iterable[str | None]) -> list[str]:
    return [way for way in ways if way is not None]


def _either(ways: Sequence[str]) -> str:
    return f"({' | '.join(ways)})"
