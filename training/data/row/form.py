"""A form of rows: how one is read, and what its fields are called, here and by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from training.data.row.fields import FieldError, shown
from training.data.row.tags import TAGS

R = TypeVar("R")
S = TypeVar("S")
ASKED = ("question", "query", "prompt", "instruction", "problem", "user", "human")
ANSWERED = ("answer", "response", "output", "completion", "target", "solution", "assistant", "gpt")
_UNREAD = ("images", "videos", "audios")  # beside the texts of LLaMA-Factory's multimodal rows


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

    @property
    def fields(self) -> tuple[str, ...]:
        """All that the reader knows by name."""
        return (*self.required, *self.optional, *self.also)

    @property
    def tags(self) -> tuple[str, ...]:
        """Those of :mod:`training.data.row.tags`, if it has turns that they are for."""
        return TAGS if self.turns else ()

    def __call__(self, raw: Any) -> R:
        """What is in the row ``raw``.

        Raises:
            FieldError: it does not fit, or has images, which nobody here would see.
        """
        if not isinstance(raw, dict):
            raise FieldError("", f"must be an object, found {shown(raw)}")
        if unread := next((key for key in _UNREAD if raw.get(key)), None):
            raise FieldError(unread, "belongs to the row, and bases here read text alone; leave the row out")
        return self.read(raw)

    def by(self, read: Callable[[dict[str, Any]], S], *optional: str, turns: tuple[str, ...] = ()) -> Form[S]:
        """The same form as another reader has it, which looks at the fields ``optional`` too.

        ``turns``: which of those hold turns as well.
        """
        known = (*self.optional, *optional)
        spoken = (*self.turns, *turns)
        return Form(read, self.required, known, self.likened, self.also, self.any_other, spoken)
