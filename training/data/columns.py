"""What a file calls the fields of its rows, where it is not what the format calls them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from training.data import thoughts
from training.data.fields import FieldError, names, shown
from training.errors import SourceError

_ASKED = ("question", "query", "prompt", "instruction", "problem", "user", "human")
_ANSWERED = ("answer", "response", "output", "completion", "target", "solution", "assistant", "gpt")
_LIKENED: dict[str, dict[str, tuple[str, ...]]] = {  # format → field that a row must have → others' names
    "text": {"text": ("content", "document", "body", "article")},
    "messages": {"messages": ("conversation", "dialogue", "dialog", "chat", "turns")},
    "sharegpt": {"conversations": ("conversation", "messages", "dialogue", "dialog", "chat", "turns")},
    "alpaca": {"instruction": _ASKED, "output": _ANSWERED},
    "pairs": {
        "prompt": _ASKED,
        "chosen": ("preferred", "better", "good", "accepted", "win"),
        "rejected": ("dispreferred", "worse", "bad", "refused", "lose"),
    },
    "labels": {
        "prompt": _ASKED,
        "completion": _ANSWERED,
        "label": ("good", "desirable"),
    },
    "prompt": {"prompt": _ASKED},
    "intents": {"text": ("query", "utterance", "question", "sentence"), "intent": ("label", "category")},
}
_FORMATS = {"conversations": "sharegpt", "messages": "messages", "instruction": "alpaca"}  # by their keys
_ALSO = {"alpaca": {"question": "instruction", "answer": "output"}}  # as GSM8K has them
_CONVERSED = ("system", "tools")
_RANKED = ("chosen", "rejected", "margin")
_LABELLED = ("label", "kto_tag")
_ALPACA = (
    "instruction",
    "input",
    "output",
    "history",
    "question",
    "answer",
    "instances",
    *thoughts.KEYS,
)
_READ: dict[str, tuple[str, ...]] = {  # format → all fields that its readers know
    "text": ("text",),
    "messages": ("messages", "tools", "text"),
    "alpaca": (*_ALPACA, *_CONVERSED, *_RANKED),
    "sharegpt": ("conversations", *_CONVERSED, *_RANKED),
    "pairs": ("prompt", "messages", *_RANKED, "chosen_messages", "rejected_messages", "tools"),
    "labels": ("prompt", "completion", *_LABELLED, "messages", "conversations", *_ALPACA, *_CONVERSED),
    "intents": ("text", "intent"),
    "bfcl": ("question", "function"),
}
_LLAMA_FACTORYS = {  # what its dataset_info.json calls them, by the format
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
    "sharegpt": {"messages": "conversations"},
}
_INPUTS = ("context", "query")  # what others call alpaca's optional input, such as Dolly
_UNREAD = ("images", "videos", "audios")  # beside the texts of LLaMA-Factory's multimodal rows


def check(columns: dict[str, str], form: str, label: str) -> None:
    """Make sure that ``columns`` names fields that rows of ``form`` may have; any are a prompt's own.

    Raises:
        SourceError: it names others, which no reader would look at; ``label`` is the source's.
    """
    known = _READ.get(form, tuple(columns))
    others = _LLAMA_FACTORYS.get(form, {})
    unknown = {ours: others.get(ours) or _nearest(ours, known) for ours in columns if ours not in known}
    if unknown:
        said = ", ".join(f"{ours} (you may mean {near})" if near else ours for ours, near in unknown.items())
        raise SourceError(
            f"{label}: columns: {form} has no field {said}. It has {', '.join(known)}; before a colon stands "
            "what it is called here, behind it what the file calls it"
        )


def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    return next(iter(get_close_matches(name.lower(), known, 1)), None)


def renamed(raw: Any, columns: dict[str, str], form: str) -> dict[str, Any]:
    """The row ``raw`` with its fields called as the readers expect; ``columns`` says what they are called.

    A field that is no reader's, and has the name of one that was renamed, does not stand in its way. One
    that a row of ``form`` may lack, it may lack under the other name too.

    Raises:
        FieldError: it lacks another of them, or has what would be lost: images, or an input by another name.
    """
    if not isinstance(raw, dict):
        raise FieldError("", f"must be an object, found {shown(raw)}")
    required = columns if form == "prompt" else _LIKENED.get(form, columns)
    for ours, theirs in columns.items():
        if theirs not in raw and ours in required:
            raise FieldError(theirs, f"is to be {ours}, by columns; the row has {names(raw)}")
    kept = {key: value for key, value in raw.items() if key not in columns.values()}
    row = kept | {ours: raw[theirs] for ours, theirs in columns.items() if theirs in raw}
    if unread := next((key for key in _UNREAD if row.get(key)), None):
        raise FieldError(unread, "belongs to the row, and bases here read text alone; leave the row out")
    lost = next((key for key in _INPUTS if row.get(key)), None)
    if lost and form == "alpaca" and "instruction" in row and not row.get("input"):
        line = _said(columns | _guessed(row, form) | {"input": lost})
        raise FieldError(
            lost,
            "would be left out. If it belongs to what is asked, give the source "
            f"`columns: {{{line}}}`; else take it out of the rows",
        )
    return row


def hint(raw: Any, form: str, field: str) -> str:
    """How a recipe would read ``raw``, which lacks the ``field`` of its ``form``; "" where nobody knows.

    It is guessed from names that are near the format's, or that others give to the same.
    """
    likened = _LIKENED.get(form, {})
    wanted = _ALSO.get(form, {}).get(field, field)
    if not isinstance(raw, dict) or field in raw or wanted not in likened:
        return ""
    for key, other in _FORMATS.items():
        if key in raw and form not in (other, "intents") and (form, key) != ("sharegpt", "messages"):
            return f". Rows of {key} are `format: {other}`"
    columns = _guessed(raw, form)
    if wanted not in columns:
        return ""
    return f". If they are called otherwise, give the source `columns: {{{_said(columns)}}}`"


def _guessed(raw: dict[str, Any], form: str) -> dict[str, str]:
    """What the fields of ``form`` that ``raw`` lacks may be called in it."""
    wanted = _LIKENED[form] | ({"input": _INPUTS} if form == "alpaca" else {})
    columns: dict[str, str] = {}
    for ours, others in wanted.items():
        left = [key for key in raw if key not in columns.values()]
        if ours not in raw and (theirs := _near(ours, others, left)):
            columns[ours] = theirs
    return columns


def _said(columns: dict[str, str]) -> str:
    return ", ".join(f"{ours}: {theirs}" for ours, theirs in columns.items())


def _near(ours: str, names: tuple[str, ...], given: list[str]) -> str | None:
    """The field of ``given`` that most likely is ``ours``."""
    lower = {key.strip().lower(): key for key in reversed(given)}
    return next((lower[name] for name in (ours, f"{ours}s", *names) if name in lower), None)
