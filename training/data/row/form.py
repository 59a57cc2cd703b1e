"""A form of rows: how one is read, and what its fields are called, here and by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from training.data.row import carried
from training.data.row.fields import FieldError, shown
from training.data.row.tags import TAGS

R = TypeVar("R")
S = TypeVar("S")
ASKED = ("question", "query", "prompt", "instruction", "problem", "user", "human")
ANSWERED = ("answer", "response", "output", "completion", "target", "solution", "assistant", "gpt")


@dataclass(frozen=True, slots=True)
class Form(Generic[R]):
    """A form of rows, and the fields that its reader looks at."""

    read: Callable[[dict[str, Any]], R]  # raises FieldError
    required: tuple[str, ...]  # that a row must have, what is asked first
    optional: tuple[str, ...] = ()
    likened: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # field → what others call it
    also: Mapping[str, str] = field(default_factory=dict)  # other name that the reader knows → field
    any_other: bool = False  # whether it takes all fields that a row has
    turns: tuple[str, ...] = ()  # fields that hold sharegpt's turns, whose keys and speakers have tags
    lone: bool = False  # whether it reads one text, which no other field of a row is part of

    @property
    def fields(self) -> tuple[str, ...]:
        """All that the reader knows by name."""
        return (*self.required, *self.optional, *self.also)

    @property
    def others(self) -> dict[str, tuple[str, ...]]:
        """What others call the fields, in lower case; the least likely name last."""
        known = dict.fromkeys((*self.likened, *(ours for ours in carried.SEEN if ours in self.fields)))
        return {
            ours: tuple(dict.fromkeys((*self.likened.get(ours, ()), *carried.SEEN.get(ours, ()))))
            for ours in known
        }

    @property
    def tags(self) -> tuple[str, ...]:
        """Those of :mod:`training.data.row.tags`, if it has turns that they are for."""
        return TAGS if self.turns else ()

    def __call__(self, raw: Any) -> R:
        """What is in the row ``raw``.

        Raises:
            FieldError: it does not fit, or has images, which nobody here would see.
            LeftOut: something that a model is to see would be passed over.
        """
        if not isinstance(raw, dict):
            raise FieldError("", f"must be an object, found {shown(raw)}")
        carried.refuse_media(raw)
        lost = None if self.lone else carried.left_out(raw, self._read, self._likened)
        if lost and any(self.also.get(key, key) == self.required[0] for key in raw):
            raise lost
        found = self.read(raw)
        if lost:  # and is not what is asked, which the reader would miss
            raise lost
        return found

    @property
    def _read(self) -> tuple[str, ...]:
        return (*self.fields, *(carried.THOUGHT if self.any_other else ()))

    @property
    def _likened(self) -> dict[str, str]:
        return {name: ours for ours in self.optional for name in self.likened.get(ours, ())}

    def by(self, read: Callable[[dict[str, Any]], S], *optional: str, turns: tuple[str, ...] = ()) -> Form[S]:
        """The same form as another reader has it, which looks at the fields ``optional`` too.

        ``turns``: which of those hold turns as well.
        """
        known = (*self.optional, *optional)
        spoken = (*self.turns, *turns)
        return Form(read, self.required, known, self.likened, self.also, self.any_other, spoken, self.lone)
