"""The rows of a source as the stages that learn a text or a conversation can: cpt, sft, quantize."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Literal

from training.data.formats.conversations import FORMS, Row
from training.data.formats.message import SILENT, says_nothing
from training.data.reading import sources
from training.data.row.fields import FieldError
from training.data.row.form import Form
from training.recipe import FileSource

Stage = Literal["cpt", "sft"]  # what is learned of a conversation: all of it, or what the assistant says
NO_TURNS = "sft learns what an assistant says, and a text has no turns; give messages, or use stage: cpt"


def read(part: sources.Part, stage: Stage) -> list[Row]:
    """The rows of ``part``; raises as :func:`training.data.reading.sources.read` does."""
    last = isinstance(part.source, FileSource) and part.source.answers == "last"
    learnable = partial(_learnable, stage=stage, last=last)
    forms = {name: form.by(partial(learnable, name=name, form=form)) for name, form in FORMS.items()}
    return sources.read(part, forms, forms["messages"])


def _learnable(raw: dict[str, Any], name: str, form: Form[Row], stage: Stage, last: bool) -> Row:
    row = form.read(raw)
    if last:
        answers = [i for i, turn in enumerate(row.messages) if turn["role"] == "assistant"]
        row = replace(row, prompt=max(row.prompt, *answers[-1:], 0))
    if stage == "sft" and row.text is not None:
        raise FieldError("text", NO_TURNS)
    for i, turn in enumerate(row.messages):
        learned = i >= row.prompt or stage == "cpt"
        if learned and turn["role"] == "assistant" and turn.get("weight") != 0 and says_nothing(turn):
            raise FieldError(_turn_at(name, raw, row, i), SILENT)
    return row


def _turn_at(form: str, raw: dict[str, Any], row: Row, i: int) -> str:
    """The field that turn ``i`` of ``row``, which is ``raw`` in its ``form``, was read from."""
    back = i - len(row.messages)  # from the last turn: the row's system prompt may stand before the first
    if form in ("messages", "sharegpt"):
        key = "messages" if form == "messages" else "conversations"
        return f"{key}.{back + len(raw[key])}"
    if form == "prompt_completion":
        key, at = ("prompt", i - row.prompt) if i < row.prompt else ("completion", back)
        return f"{key}.{at + len(raw[key])}" if isinstance(raw[key], list) else key
    if i < len(row.messages) - 1:
        return "history" if raw.get("history") else "instruction"
    return next((key for key in ("output", "answer") if key in raw), "instances.0.output")
