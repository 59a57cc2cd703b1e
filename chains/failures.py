"""Which calls of tools failed in a run, so that no answer is given out that stands on failures alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.dialects import NAMELESS
from chains.errors import ToolGivenUp
from chains.events import Note

_AGAIN = "No tool has given a result, so nothing is known. Mend the call of {tools} and make it once more."


@dataclass(slots=True)
class Failures:
    """What came of the calls of one run; a turn is a call of the model, counted from 1."""

    found: bool = False  # a tool gave a result
    asked_again: bool = False  # the model was, where it answered behind nothing but failures
    dropped: list[str] = field(default_factory=list)  # what it answered there
    _called: bool = False  # a tool was, or was to be
    _said: dict[str, str] = field(default_factory=dict)  # by a tool that failed, the last time
    _turns: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, name: str, turn: int, *, called: bool, said: str | None = None) -> None:
        """Remember that the tool ``name`` failed in ``turn``, and what it ``said`` of that itself.

        Not ``called``: it may have been mere text, or its arguments did not fit, and an answer may ask the
        user for them.
        """
        self._turns[name].add(turn)
        self._called = self._called or called
        if said is not None:
            self._said[name] = said

    def before(self, name: str, turn: int) -> int:
        """In how many other turns ``name`` failed."""
        return len(self._turns.get(name, set()) - {turn})

    @property
    def all_failed(self) -> bool:
        """Whether tools were called and none of them gave a result."""
        return self._called and not self.found

    @property
    def without_result(self) -> bool:
        """Whether a tool was meant to be called, be it with wrong arguments, and none gave a result."""
        return not self.found and (self._called or bool(self._turns.keys() - {NAMELESS}))

    @property
    def final(self) -> bool:
        """Whether the model had its second chance."""
        return self.asked_again or any(len(turns) > 1 for turns in self._turns.values())

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of those that failed, in the order of the alphabet."""
        return tuple(sorted(self._turns.keys() - {NAMELESS})) or tuple(self._turns)

    def hint(self) -> str:
        """What the model is told with its second chance."""
        return _AGAIN.format(tools="a tool" if self.tools == (NAMELESS,) else " and ".join(self.tools))

    def mendable(self, tools: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those of ``tools`` that the model is shown with its second chance: only those that failed.

        With others it might do what nobody asked for, where it is to mend a call. All, where what failed is
        none of them.
        """
        failed = {tool["function"]["name"]: tool for tool in tools if tool["function"]["name"] in self.tools}
        return list(failed.values()) if len(failed) == len(self.tools) else list(tools)

    def note(self) -> Note | None:
        """What the model said behind nothing but failures; None: nothing."""
        facts = {"failed": list(self.tools), "dropped": self.dropped}
        return Note("no_result", facts) if self.dropped else None

    def given_up(self, name: str | None = None) -> ToolGivenUp:
        """Why there is no answer: the tool ``name`` failed, or all that were called."""
        names = self.tools if name is None else (name,)
        said = {one: self._said[one] for one in names if one in self._said}
        return ToolGivenUp(names, twice=all(len(self._turns[one]) > 1 for one in names), said=said)
