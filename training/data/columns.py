"""What a file calls the fields of its rows, where it is not what the format calls them."""

from __future__ import annotations

from typing import Any

from training.data.fields import FieldError

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


def renamed(raw: Any, columns: dict[str, str]) -> dict[str, Any]:
    """The row ``raw`` with its fields called as the readers expect; ``columns`` says what they are called.

    A field that is no reader's, and has the name of one that was renamed, does not stand in its way.
    """
    if not isinstance(raw, dict):
        raise FieldError("", f"must be an object, found {raw!r}")
    for ours, theirs in columns.items():
        if theirs not in raw:
            raise FieldError(
                theirs, f"is to be {ours}, by columns; the row has {', '.join(raw) or 'no fields'}"
            )
    kept = {key: value for key, value in raw.items() if key not in columns.values()}
    return kept | {ours: raw[theirs] for ours, theirs in columns.items()}


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
    columns: dict[str, str] = {}
    for ours, names in likened.items():
        left = [key for key in raw if key not in columns.values()]
        if ours not in raw and (theirs := _near(ours, names, left)):
            columns[ours] = theirs
    if wanted not in columns:
        return ""
    said = ", ".join(f"{ours}: {theirs}" for ours, theirs in columns.items())
    return f". If they are called otherwise, give the source `columns: {{{said}}}`"


def _near(ours: str, names: tuple[str, ...], given: list[str]) -> str | None:
    """The field of ``given`` that most likely is ``ours``."""
    lower = {key.strip().lower(): key for key in reversed(given)}
    return next((lower[name] for name in (ours, f"{ours}s", *names) if name in lower), None)
