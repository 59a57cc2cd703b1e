"""Reads one turn of the written form of ReAct: Thought, Action, Action Input, Final Answer.

The labels are those of Yao et al. 2022 (arXiv:2210.03629) as LangChain's prompts spell them, or Chinese. What
models get wrong is read as it was meant: a label with a number, with marks around it, in a list, in the
middle of a line, without its colon, with a Chinese one; ``Tool``, ``Input`` and ``Answer`` in place of
others; a call as JSON, in a fence, in tags or bare; ``Final Answer`` as an action. What follows an
Observation that the model wrote itself is made up, so the turn ends there; so does what follows an action and
is none, and a call that follows the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from chains.action_input import is_call, is_final
from chains.actions import BLANK, Action, Actions
from chains.labels import (
    BARE,
    CALL,
    FINISH,
    FINISH_BEGUN,
    INLINE,
    LABELLED,
    LINE,
    Label,
    bare_end,
    held_from,
    is_bracketed,
    is_item,
    is_said,
    is_tool_alone,
    is_weak,
    label_of,
    may_begin,
    names_tool,
)
from chains.lookahead import begins_call, call_begun, is_aside, is_fenced
from chains.one_line import begun_within, calls_within
from chains.splitter import TAGS, Part, Passages


class _Found(NamedTuple):
    begin: int
    end: int
    label: Label
    opening: str = ""  # what of the label is text as well
    item: bool = False  # of a list
    bracketed: bool = False


class TurnReader:
    """Feed it the text of a turn, in pieces cut anywhere; ``tools`` are the names that may be called.

    A thought is given as reasoning and the answer as content, as they come. Text without any label is held
    back: it is the answer if no label follows, else a thought. So is what follows a mere ``Answer``.
    """

    def __init__(self, tools: Sequence[str]) -> None:
        self._tools = tools
        self._text = ""  # all of the turn
        self._at = 0  # where what is not read yet begins
        self._state: Label | None = None
        self._unlabelled = ""  # or behind a mere Answer
        self._actions = Actions(tools)
        self._listed = False  # True: an item of a list has been a label
        self._final_at = 0  # where the answer begins
        self._passages = {"reasoning": Passages(), "content": Passages()}
        self.done = False  # True: what else comes does not count
        for passages in self._passages.values():
            passages.break_off()

    @property
    def said(self) -> str:
        """The turn as far as it counts."""
        return self._text[: self._at].strip()

    @property
    def answered(self) -> bool:
        """Whether the turn is an answer: it names no action, and is not only a thought."""
        if self._actions:
            return bool(self._actions.answer)
        return self._state in (None, "final", "answer")

    @property
    def actions(self) -> list[Action]:
        """The tools that the turn names, in order."""
        return self._actions.calls

    def feed(self, text: str) -> list[Part]:
        """The parts that ``text`` completes."""
        if self.done:
            return []
        self._text += text
        return self._read(False)

    def end(self) -> list[Part]:
        """What was held back, when no more text comes."""
        self._text = self._text[: self._at] + _without_opened(self._text[self._at :])
        parts = [] if self.done else self._read(True)
        if self._state is None and is_call(self._unlabelled, self._tools):  # with its names in another order
            self._actions.begin("action", self._unlabelled)
        elif self._unlabelled and self._state in (None, "answer"):
            parts += self._told("content", self._unlabelled)
        if answer := self._actions.answer:
            parts += self._told("content", answer)
        return parts

    def _read(self, ended: bool) -> list[Part]:
        parts: list[Part] = []
        while not self.done and (found := self._next(ended)) is not None:
            self._take(self._text[self._at : found.begin], parts)
            self._at = found.begin
            if not self.actions and not self._actions.answer and found.label in ("final", "thought"):
                self._actions.clear()  # "Action: None"
            ends = self._state == "final" or found.label == "observation"
            if ends or (self._actions and found.label in ("final", "thought")):
                self.done = True
                return parts
            self._at = found.end
            self._turn(found, parts)
        within = self._state == "action"
        whole = len(self._text) if ended else min(held_from(self._text, self._at, within), self._undecided())
        if whole > self._at and not self.done:
            self._take(self._text[self._at : whole], parts)
            self._at = whole
        return parts

    def _next(self, ended: bool) -> _Found | None:
        """The first label that is not read yet."""
        kinds = (
            self._labelled(ended),
            self._bare(ended),
            self._inline(ended),
            self._within(),
            self._calls(),
            self._finish(ended),
        )
        first = min((found for kind in kinds if (found := next(kind, None))), default=None)
        if first is None or ended:
            return first
        return None if self._is_open(first.begin) or first.begin > self._undecided() else first

    def _labelled(self, ended: bool) -> Iterator[_Found]:
        for match in LABELLED.finditer(self._text, self._at):
            whole = ended or match.end() < len(self._text)  # marks may follow
            if whole and self._counts(match, ended):
                item, bracketed = is_item(match), is_bracketed(match)
                yield _Found(match.start(), match.end(), label_of(match), "", item, bracketed)

    def _undecided(self) -> int:
        """Where a label stands that only what follows tells from text; the end of the text: nowhere."""
        if self._state == "final":
            return call_begun(self._text, self._at, self._tools)
        if self._state not in (None, "thought"):
            return len(self._text)
        finish = FINISH_BEGUN.search(self._text, self._at)
        until = min(finish.start() if finish else len(self._text), begun_within(self._text, self._at))
        for match in LABELLED.finditer(self._text, self._at, until):
            if self._may_be_aside(match) and is_aside(self._text, match.end(), self._tools, False) is None:
                return match.start()
        return until

    def _may_be_aside(self, match: re.Match[str]) -> bool:
        """Whether it is a final answer within the line of a thought."""
        final = label_of(match) == "final" and self._state in (None, "thought") and not self._actions
        return final and not self._at_line(match)

    def _bare(self, ended: bool) -> Iterator[_Found]:
        for match in BARE.finditer(self._text, self._at):
            whole = ended or match.end() < len(self._text) or self._text.endswith("\n")
            end = bare_end(match, self._tools)
            if whole and end is not None and self._counts(match, ended):
                yield _Found(match.start(), end, label_of(match))

    def _finish(self, ended: bool) -> Iterator[_Found]:
        """``Finish[the answer]`` without a label, in a line of its own: behind a thought, or all there is."""
        for match in FINISH.finditer(self._text, self._at):
            first = self._state is None and not self._text[: match.start()].strip()
            whole = ended or self._text[: match.end()].endswith("\n")
            if whole and (first or self._state == "thought") and "finish" not in map(str.lower, self._tools):
                yield _Found(match.start(), match.start("action"), "action")

    def _inline(self, ended: bool) -> Iterator[_Found]:
        """The input of an action in the line of its name."""
        if self._state == "action" and not self._holds_json(len(self._text)):
            for match in INLINE.finditer(self._text, self._at):
                if ended or match.end() < len(self._text):
                    yield _Found(match.start(), match.end(), "input")

    def _within(self) -> Iterator[_Found]:
        """An action that a thought runs into."""
        if self._state in (None, "thought"):
            for begin, end in calls_within(self._text, self._at, self._tools):
                yield _Found(begin, end, "action")

    def _calls(self) -> Iterator[_Found]:
        for match in CALL.finditer(self._text, self._at):
            brace = match.end("bare") if match["bare"] else match.end("tagged")
            tool = match["tool"]
            known = tool is None or tool in self._tools or is_final(tool, self._tools)
            behind = self._state in (None, "thought", "answer") or (
                self._state == "action"
                and (self._holds_json(match.start()) or BLANK.fullmatch(self._field(match.start())))
            )
            if known and behind:
                yield _Found(match.start(), brace, "action", "{")

    def _is_open(self, at: int) -> bool:
        """Whether the line of ``at`` may turn out to begin with a label that it ends too late to show."""
        begin = self._text.rfind("\n", 0, at) + 1
        if not self._at <= begin < at or "\n" in self._text[begin:]:
            return False
        return may_begin(self._text[begin:], at_line=True)

    def _counts(self, match: re.Match[str], ended: bool) -> bool:
        """Whether a label is one here. In an answer only what ends it is, at the beginning of a line."""
        if is_item(match) and not self._counts_as_item(match, ended):
            return False
        if self._state == "final":
            return self._ends_answer(match)
        if self._may_be_aside(match) and is_aside(self._text, match.end(), self._tools, ended) is not False:
            return False
        return self._state == "thought" if is_said(match) else self._fits(match, ended)

    def _fits(self, match: re.Match[str], ended: bool) -> bool:
        """Whether a label, which may be a word of plain prose, is one in what is no answer for certain."""
        label, at_line = label_of(match), self._at_line(match)
        if self._state == "answer" and (not at_line or label in ("input", "answer")):
            return False
        weak = is_weak(match)
        if label == "action" and (weak or self._state == "answer"):
            rest = self._text[match.end() : match.end() + LINE + 1]
            shown = ended or "\n" in rest or len(rest) > LINE
            named = (is_tool_alone if weak else names_tool)(rest, self._tools)
            return at_line and shown and named
        if weak and label == "answer":
            before = self._unlabelled + self._text[self._at : match.start()]
            return at_line and (self._state == "thought" or (self._state is None and not before.strip()))
        if weak:
            return at_line and self._state == "action" and not self._holds_json(match.start())
        return True

    def _ends_answer(self, match: re.Match[str]) -> bool:
        label, begin = label_of(match), match.start()
        call = label == "action" and begins_call(self._text, begin, self._tools)
        overrun = call and not is_fenced(self._text, self._final_at, begin)
        return self._at_line(match) and (label in ("observation", "thought") or overrun)

    def _at_line(self, match: re.Match[str]) -> bool:
        return match.start() == 0 or self._text[match.start() - 1] == "\n"

    def _counts_as_item(self, match: re.Match[str], ended: bool) -> bool:
        """Whether a label in a list may be one: all are, a tool is named, or nothing stands before it."""
        label = label_of(match)
        if is_bracketed(match) and label not in ("action", "input"):
            return False
        if self._listed or (label == "input" and self._state == "action"):
            return True
        if label == "action":
            rest = self._text[match.end() : match.end() + LINE + 1]
            shown = ended or "\n" in rest or len(rest) > LINE
            return shown and is_tool_alone(rest, self._tools)
        first = self._state is None and not self._text[: match.start()].strip()
        return first and label in ("thought", "final")

    def _field(self, until: int) -> str:
        """What the action holds, up to ``until`` in the text."""
        return self._actions.last + self._text[self._at : until]

    def _holds_json(self, until: int) -> bool:
        return self._field(until).lstrip(" \t\n`*").startswith("{")

    def _turn(self, found: _Found, parts: list[Part]) -> None:
        if self._state in (None, "answer") and self._unlabelled:
            parts += self._told("reasoning", self._unlabelled)
            self._unlabelled = ""
        for passages in self._passages.values():
            passages.break_off()
        self._state = found.label
        self._listed |= found.item and not found.bracketed
        if found.label == "final":
            self._final_at = found.end
        if found.opening:
            self._actions.drop_blank()
        if found.label in ("action", "input"):
            self._actions.begin(found.label, found.opening, found.bracketed)

    def _take(self, text: str, parts: list[Part]) -> None:
        if self._state in (None, "answer"):
            self._unlabelled += text
        elif self._state == "thought":
            parts += self._told("reasoning", text)
        elif self._state == "final":
            parts += self._told("content", text)
        else:
            self._actions.add(text)

    def _told(self, kind: Literal["reasoning", "content"], text: str) -> list[Part]:
        given = self._passages[kind].add(text)
        return [Part(kind, given)] if given else []


def _without_opened(text: str) -> str:
    """``text`` without the tag at its end that opens a call of which nothing was written."""
    opening, _ = TAGS["call"]
    stripped = text.rstrip()
    return stripped.removesuffix(opening) if stripped.endswith(opening) else text
