"""Fields by which a row says what a model is to see or learn: no reader passes one over in silence.

One that holds something is read by its form, or refused with the line that would read it. What is in no table
here, such as an id, a source or a score, may stand in any row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from training.data.row.fields import FieldError

MEDIA = ("images", "videos", "audios")  # beside the texts of LLaMA-Factory's multimodal rows
SEEN: Mapping[str, tuple[str, ...]] = {  # field of a form → what others call it, in lower case
    "system": ("system_prompt", "system_message", "system_instruction", "sys_prompt", "systemprompt"),
    "tools": ("functions", "available_tools", "tool_definitions"),
    "history": (),
    "input": ("context", "passage", "documents"),
    "chat_template_kwargs": (),
    "reasoning_content": ("thinking",),
}
THOUGHT = ("reasoning_content", "thinking")  # of the answer, which a prompt's rewards may be given
_FIELDS = {name: ours for ours, others in SEEN.items() for name in (ours, *others)}
_OF_TURNS = (*MEDIA, "tool_calls", "function_call", "chat_template_kwargs", "train_detail", "training_detail")
_INSTEAD = {
    "system": "write it as the first turn",
    "tools": "no tools can be given here",
    "history": "write its turns before what is asked",
    "input": "write it into what is asked",
    "chat_template_kwargs": "a row is rendered as a request that names none",
    "reasoning_content": "write it into the answer, in <think> and </think>",
}
_HOLLOW = " \t\r\n[]{}"  # what a text consists of that holds an empty list or object, or nothing


class LeftOut(FieldError):
    """A field that its reader would pass over; ``ours`` is the one that would be read in its place."""

    def __init__(self, field: str, problem: str, ours: str | None = None) -> None:
        super().__init__(field, problem)
        self.ours = ours


def refuse_media(raw: dict[str, Any]) -> None:
    """Make sure that ``raw`` is of text alone.

    Raises:
        FieldError: it has images, or the like, which nobody here would see.
    """
    if unread := next((key for key in MEDIA if raw.get(key)), None):
        raise FieldError(unread, "belongs to the row, and bases here read text alone; leave the row out")


def left_out(
    raw: dict[str, Any], fields: Collection[str], likened: Mapping[str, str] | None = None
) -> LeftOut | None:
    """What to raise of the first field of ``raw`` that a reader of ``fields`` alone would pass over, if any.

    ``likened``: names that such a reader's files give to one of its fields, beside those of ``SEEN``.
    """
    known = {**_FIELDS, **(likened or {})}
    for key, value in raw.items():
        ours = known.get(str(key).strip().lower())
        if ours is None or key in fields or is_nothing(value):
            continue
        if ours not in fields:
            return LeftOut(key, f"would be left out, as this format has no field for it: {_INSTEAD[ours]}")
        if is_nothing(raw.get(ours)):
            return LeftOut(key, f"would be left out; call it {ours}, or take it out of the rows", ours)
        if raw[ours] != value:
            return LeftOut(key, f"would be left out beside {ours}, which is read; give one of the two")
    return None


def refuse_left_out(raw: dict[str, Any], fields: Collection[str]) -> None:
    """Raise what :func:`left_out` finds, if it finds any."""
    if lost := left_out(raw, fields):
        raise lost


def refuse_left_out_of_turn(turn: dict[str, Any], at: str, fields: Collection[str] = ()) -> None:
    """Make sure that a reader of ``fields`` passes over nothing of ``turn``, which stands ``at``.

    Raises:
        FieldError: it would.
    """
    lost = next((key for key in _OF_TURNS if key not in fields and not is_nothing(turn.get(key))), None)
    if lost:
        raise FieldError(f"{at}.{lost}" if at else lost, "would be left out: nothing here reads it in a turn")


def is_nothing(value: Any) -> bool:
    """Whether a field of this value says nothing."""
    return not value or (isinstance(value, str) and not value.strip(_HOLLOW))
