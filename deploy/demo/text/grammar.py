"""A small phrase grammar: few rules, very many sentences.

A rule is text. Its lines are alternatives, ``[a|b|]`` chooses inside a line (an empty part is allowed),
``<name>`` stands for another rule and ``{slot}`` is left for the caller to fill. ``¶`` becomes a line break.
All alternatives of a choice are equally likely; repeating one makes it likelier.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from random import Random

_TOKEN = re.compile(r"\[|\]|\||<\w+>|[^\[\]|<]+")


class GrammarError(ValueError):
    """A rule that can't be read: brackets that do not match, or an unknown name."""


class _Choice:
    __slots__ = ("options",)

    def __init__(self) -> None:
        self.options: list[list[str | _Choice]] = []

    def write(self, rng: Random, out: list[str]) -> None:
        options = self.options
        for part in options[int(rng.random() * len(options))]:
            if isinstance(part, str):
                out.append(part)
            else:
                part.write(rng, out)

    def count(self, known: dict[int, int]) -> int:
        if id(self) not in known:
            known[id(self)] = sum(
                prod(1 if isinstance(part, str) else part.count(known) for part in option)
                for option in self.options
            )
        return known[id(self)]


class Grammar:
    """Rules by name, compiled once. Rules must not be recursive."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = {name: _Choice() for name in rules}
        for name, text in rules.items():
            for line in text.strip("\n").split("\n"):
                self._rules[name].options += self._parse(name, line)

    def write(self, rng: Random, rule: str) -> str:
        """One sentence of ``rule``; slots stay as ``{slot}``."""
        out: list[str] = []
        self._rules[rule].write(rng, out)
        return "".join(out)

    def count(self, rule: str) -> int:
        """How many derivations ``rule`` has: an upper bound of its distinct sentences."""
        return self._rules[rule].count({})

    def _parse(self, name: str, line: str) -> list[list[str | _Choice]]:
        stack: list[list[list[str | _Choice]]] = [[[]]]
        for token in _TOKEN.findall(line):
            if token == "[":
                stack.append([[]])
            elif token == "|":
                stack[-1].append([])
            elif token == "]":
                if len(stack) == 1:
                    raise GrammarError(f"{name}: ']' without '[' in {line!r}")
                inner = _Choice()
                inner.options = stack.pop()
                stack[-1][-1].append(inner)
            elif token[0] == "<":
                if token[1:-1] not in self._rules:
                    raise GrammarError(f"{name}: unknown rule {token} in {line!r}")
                stack[-1][-1].append(self._rules[token[1:-1]])
            else:
                stack[-1][-1].append(token)
        if len(stack) != 1:
            raise GrammarError(f"{name}: '[' without ']' in {line!r}")
        return stack[0]


def fill(text: str, slots: Mapping[str, str]) -> str:
    """``text`` with every ``{slot}`` replaced."""
    for name, value in slots.items():
        text = text.replace("{" + name + "}", value)
    return text


_SPACE_BEFORE_MARK = re.compile(r" +([,.?!;:])")
_MARKS = re.compile(r"[,.;:]+(?=[.?!])|(?<=[?!])[.,]")
_SENTENCE = re.compile(r"(^|[.?!] |¶)([a-z])")
_SLOT = re.compile(r"\{[A-Z]+\}")


def write_english(text: str, rng: Random) -> str:
    """Spacing set right, and a writer's habits: capitals or none, a last full stop or none."""
    text = " ".join(text.split())
    text = _MARKS.sub("", _SPACE_BEFORE_MARK.sub(r"\1", text))
    habit = rng.random()
    if habit < 0.25:
        text = text.lower()
    elif habit < 0.265:
        text = _SLOT.sub(lambda slot: slot[0].lower(), text.upper())
    else:
        text = _SENTENCE.sub(lambda start: start[1] + start[2].upper(), text)
    if rng.random() < (0.6 if habit < 0.25 else 0.2):
        text = text.rstrip(".?!,:; ")
    return text.replace(" ¶ ", "\n").replace("¶ ", "\n").replace("¶", "\n")


_HAN_DOUBLED = re.compile(r"([，。？！：])[，。]")
_HAN_MARKS = str.maketrans({"，": ",", "？": "?", "。": ".", "！": "!", "：": ":"})


def write_chinese(text: str, rng: Random) -> str:
    """A writer's habits: half-width marks, a last mark or none, spaces around numbers or none."""
    text = _HAN_DOUBLED.sub(r"\1", text).rstrip("， ")
    habit = rng.random()
    if habit < 0.3:
        text = text.rstrip("。？！，：")
    elif habit < 0.35:
        text = text.translate(_HAN_MARKS)
    elif habit < 0.4:
        text = text.translate(str.maketrans({"，": " ", "。": " "}))
    if "{id" in text and rng.random() < 0.35:
        text = re.sub(r"(?<=[\u4e00-\u9fff])(\{id\d?\})", r" \1", text)
        text = re.sub(r"(\{id\d?\})(?=[\u4e00-\u9fff])", r"\1 ", text)
    return text.strip().replace("¶", "\n")
