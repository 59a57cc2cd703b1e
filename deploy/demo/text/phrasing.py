"""Phrase files: many ways to say one thing, from a few lines of text in ``phrases/``.

A rule is a name and its alternatives, one a line. In a line ``[a|b|]`` picks one of its parts (an empty one
says nothing), ``{name}`` is a value given by the caller or else another rule. English is written in lower
case; ``polish`` makes sentences of it, or leaves the careless forms that people type. What stands in a value
is never changed: it will be copied into an answer.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random

from deploy.demo.text.sample import Language

_OPEN, _CLOSE = "\x02", "\x03"  # around a value while the words next to it are still being changed
PART = _OPEN + _CLOSE  # at the end of a value: it is a part of the sentence, polished with it
_VALUE_OR_START = re.compile(r"\x02[^\x03]+\x03|(?:^|[.?!\n][ \n]+)[a-z]|\bi\b(?![.)])")
_VALUE_OR_WIDE = re.compile(r"\x02[^\x03]+\x03|[，？！：；（）]")
_WORD = re.compile(r"(?<![\x02\w'])[a-z]{4,}(?![\w'])")
_SPACES = re.compile(r" {2,}")
_SPACED_MARK = re.compile(r" +([,.?!;:](?:\s|$))")
VALUE = re.compile(r"\x02[^\x03]*\x03")  # a value as ``raw`` marks it
_SYNTAX = re.compile(r"[\[\]|]|\{[a-z_0-9]+\}")
_HALF_WIDTH = str.maketrans("，？！：；（）", ",?!:;()")


class _Slot:
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class _Choice:
    __slots__ = ("count", "options")

    def __init__(self, options: list["_Part"]) -> None:
        self.options = options
        self.count = len(options)


_Part = str | _Slot | _Choice | tuple["_Part", ...]


def _parse(text: str) -> _Part:
    """Turn one line into parts; raises ValueError on a bracket without its partner."""
    stack: list[list[list[_Part]]] = [[[]]]
    at = 0
    for match in _SYNTAX.finditer(text):
        if match.start() > at:
            stack[-1][-1].append(text[at : match.start()])
        at = match.end()
        mark = match.group()
        if mark == "[":
            stack.append([[]])
        elif mark == "|":
            stack[-1].append([])
        elif mark == "]":
            options = stack.pop()
            if not stack:
                raise ValueError(f"']' without '[' in {text!r}")
            stack[-1][-1].append(_Choice([_sequence(option) for option in options]))
        else:
            stack[-1][-1].append(_Slot(mark[1:-1]))
    if at < len(text):
        stack[-1][-1].append(text[at:])
    if len(stack) != 1 or len(stack[0]) != 1:
        raise ValueError(f"'[' without ']' or '|' outside of brackets in {text!r}")
    return _sequence(stack[0][0])


def _sequence(parts: list[_Part]) -> _Part:
    return parts[0] if len(parts) == 1 else tuple(parts)


class Phrases:
    """Named rules, compiled once. ``raw`` expands a rule; ``say`` also polishes it for its language."""

    def __init__(self, language: Language, rules: Mapping[str, Sequence[str]]) -> None:
        self.language = language
        self._rules = {name: _Choice([_parse(line) for line in lines]) for name, lines in rules.items()}
        self.rules = tuple(rules)

    @classmethod
    @cache
    def load(cls, task: str, language: Language) -> "Phrases":
        """Read ``phrases/<task>.<language>.txt``: ``name:`` lines, then its alternatives, indented.

        ``3* text`` counts three times, a lone ``-`` is an empty alternative, ``#`` begins a remark line.
        Raises ValueError with file and line where an alternative stands before any name.
        """
        path = Path(__file__).parent / "phrases" / f"{task}.{language}.txt"
        rules: dict[str, list[str]] = {}
        lines: list[str] | None = None
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            if not line[0].isspace():
                lines = rules.setdefault(line.strip().removesuffix(":"), [])
            elif lines is None:
                raise ValueError(f"{path.name}:{number}: an alternative before the first name")
            else:
                weight, _, rest = line[4:].partition("* ")
                text = rest if weight.isdigit() else line[4:]
                lines.extend(["" if text == "-" else text] * (int(weight) if weight.isdigit() else 1))
        return cls(language, rules)

    def raw(self, rng: Random, rule: str, **values: str) -> str:
        """One expansion of ``rule``, its values still marked; raises KeyError on an unknown name."""
        out: list[str] = []
        self._expand(rng, self._rules[rule], values, out)
        return "".join(out)

    def say(self, rng: Random, rule: str, typos: float = 0.0, **values: str) -> str:
        """One polished expansion; ``typos`` is the share of texts with one misspelt word."""
        return polish(rng, self.raw(rng, rule, **values), self.language, typos)

    def plain(self, rng: Random, rule: str, **values: str) -> str:
        """One expansion as it is written in the file, with no change of case or marks."""
        return unmarked(self.raw(rng, rule, **values)).strip()

    def _expand(self, rng: Random, part: _Part, values: Mapping[str, str], out: list[str]) -> None:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, tuple):
            for each in part:
                if isinstance(each, str):
                    out.append(each)
                else:
                    self._expand(rng, each, values, out)
        elif isinstance(part, _Choice):
            self._expand(rng, part.options[int(rng.random() * part.count)], values, out)
        elif part.name in values:
            value = values[part.name]
            out.append(value if _OPEN in value else f"{_OPEN}{value}{_CLOSE}")
        else:
            self._expand(rng, self._rules[part.name], values, out)


def polish(rng: Random, text: str, language: Language, typos: float = 0.0) -> str:
    """Make a typed message of an expansion: case, end mark, spacing and now and then a slip."""
    text = _SPACED_MARK.sub(r"\1", _SPACES.sub(" ", text)).strip()
    text = _english(rng, text, typos) if language == "en" else _chinese(rng, text)
    return unmarked(text)


def unmarked(text: str) -> str:
    """``text`` without the marks around its values."""
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def narrow(text: str) -> str:
    """``text`` with the half-width marks that many keyboards give, outside of its values."""
    return _VALUE_OR_WIDE.sub(_narrow, text)


def misspell(rng: Random, text: str) -> str:
    """``text`` with a slip in one of its words, outside of its values: a letter lost, doubled or swapped."""
    values = [match.span() for match in VALUE.finditer(text)]
    found = [match for match in _WORD.finditer(text) if not any(a < match.start() < b for a, b in values)]
    if not found:
        return text
    word = found[int(rng.random() * len(found))]
    at = word.start() + 1 + int(rng.random() * (len(word.group()) - 2))
    kind = rng.random()
    if kind < 0.4:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if kind < 0.75 else text[:at] + text[at] + text[at:]


def _english(rng: Random, text: str, typos: float) -> str:
    if typos and rng.random() < typos:
        text = misspell(rng, text)
    style = rng.random()
    if style < 0.62:
        text = _VALUE_OR_START.sub(_capital, text)
    if text[-1:] in ".?!":
        if style > 0.5 and rng.random() < 0.55:
            text = text[:-1]
        elif text[-1] == "?" and rng.random() < 0.04:
            text += "?"
    return text


def _capital(match: re.Match[str]) -> str:
    found = match.group()
    return found if found[0] == _OPEN else found.upper()


def _narrow(match: re.Match[str]) -> str:
    found = match.group()
    return found if found[0] == _OPEN else found.translate(_HALF_WIDTH)


def _chinese(rng: Random, text: str) -> str:
    if text[-1:] in "。？！" and rng.random() < 0.45:
        text = text[:-1]
    if rng.random() < 0.08:
        text = narrow(text)
    return text
