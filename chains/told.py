"""The events of a run of the react chain: its messages as they come, whatever step they are of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from chains.events import Content, Event, Reasoning, Step, Usage
from chains.splitter import Passages
from chains.stop import StopAt

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


class Told:
    """Turns the run's messages into events, and keeps the words of different steps apart.

    ``silent``: the words are not told, only what is reasoned and done. ``counts``: the tokens of what is
    reasoned can be counted. The client's ``stops`` are not part of what is told, whoever says it.
    The steps of one turn come in the order of its calls, whichever ends first.
    """

    def __init__(self, stops: list[str], *, silent: bool, counts: bool) -> None:
        self.steps: list[Step] = []
        self.said = ""  # in the last message of the model
        self._silent = silent
        self._stop = StopAt(stops)
        self._counts = counts
        self._content = Passages()
        self._reasoning = Passages()
        self._made: list[str] = []  # ids of the calls whose steps are not told yet
        self._ended: dict[str, Step] = {}  # of them, by id
        self._message: str | None = None  # id of the message that is being told
        self._reasons = False  # something reasoned was told

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._stop.reached

    def usage(self, usage: Usage) -> Usage:
        """``usage`` of the run, without a count of reasoning where it can't be right."""
        return usage if self._counts or not self._reasons else replace(usage, reasoning_tokens=None)

    def events(self, message: BaseMessage) -> Iterator[Event]:
        if message.type == "tool":
            step = getattr(message, "artifact", None)
            if isinstance(step, Step):
                self._ended[getattr(message, "tool_call_id", "")] = step
            yield from self._in_order()
            return
        if message.id != self._message:
            if self._message is not None:
                self._break_off()
            self._message, self.said = message.id, ""
        self._made += [call["id"] for call in getattr(message, "tool_calls", ())]
        self.said += message.text
        if reasoning := self._reasoning.add(message.additional_kwargs.get("reasoning_content", "")):
            self._reasons = True
            yield Reasoning(reasoning)
        yield from self._told(self._content.add(message.text))

    def end(self) -> Iterator[Event]:
        yield from self._left()
        yield from self._told(self._content.end())
        if tail := self._stop.end():
            yield Content(tail)

    def broken_off(self, words: str) -> Iterator[Event]:
        """An honest end of a run that has none of its own."""
        yield from self._left()
        self._break_off()
        yield from self._told(self._content.add(words))

    def _in_order(self) -> Iterator[Step]:
        """The steps before which none of an earlier call is awaited."""
        while self._made and self._made[0] in self._ended:
            step = self._ended.pop(self._made.pop(0))
            self.steps.append(step)
            yield step

    def _left(self) -> Iterator[Step]:
        """Those behind a call that never ended."""
        self._made = [one for one in self._made if one in self._ended]
        yield from self._in_order()

    def _told(self, text: str) -> Iterator[Event]:
        if not self._silent and (told := self._stop.feed(text)):
            yield Content(told)

    def _break_off(self) -> None:
        self._content.break_off()
        self._reasoning.break_off()
