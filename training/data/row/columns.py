"""What a file calls the fields of its rows, where it is not what the format calls them.

Within the turns of sharegpt :mod:`training.data.row.tags` does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from training.data.row import foreign, tags
from training.data.row.carried import LeftOut
from training.data.row.fields import FieldError, names
from training.data.row.form import Form
from training.errors import SourceError
from training.recipe import FileSource, PromptFile

R = TypeVar("R")
_MISSPELT = 0.75  # how alike two names are of which one is the other misspelt: promt, insruction
_LISTS = ("conversations", "messages")  # fields that are no text
_FORMATS = {  # by their keys
    ("conversations",): "sharegpt",
    ("messages",): "messages",
    ("instruction",): "alpaca",
    ("prompt", "completion"): "prompt_completion",
}


def reader(source: FileSource | PromptFile, forms: Mapping[str, Form[R]]) -> Callable[[Any], R]:
    """How one row of ``source`` is read, by that of ``forms`` which is its format.

    The reader raises FieldError, which says how the row would be read where its fields are called otherwise.

    Raises:
        SourceError: the source's ``columns`` names fields that this reader does not look at, or two speakers
            by one name.
    """
    form = forms[source.format]
    called = {ours: theirs for ours, theirs in source.columns.items() if ours in form.tags}
    columns = {ours: theirs for ours, theirs in source.columns.items() if ours not in form.tags}
    _refuse_unknown(source, form)
    if again := tags.twice(called):
        raise SourceError(
            f"{source.label}: columns: two tags name {again!r}, so nobody could tell them apart"
        )

    def read(raw: Any) -> R:
        try:
            if not isinstance(raw, dict):
                return form(raw)  # which says so
            row = _renamed(raw, columns, form)
            return form(tags.renamed(row, called, form.turns) if called else row)
        except LeftOut as exc:
            raise FieldError(columns.get(exc.field, exc.field), _remedy(exc, row, columns, form)) from exc
        except FieldError as exc:
            told = hint(raw, exc.field, source.format, forms)
            ours, dot, rest = exc.field.partition(".")
            raise FieldError(columns.get(ours, ours) + dot + rest, exc.problem + told) from exc

    return read


def _refuse_unknown(source: FileSource | PromptFile, form: Form[Any]) -> None:
    if form.any_other:
        return
    known = (*form.fields, *form.tags)
    unknown = {ours: _meant(ours, form) for ours in source.columns if ours not in known}
    if unknown:
        said = ", ".join(f"{ours} (you may mean {near})" if near else ours for ours, near in unknown.items())
        raise SourceError(
            f"{source.label}: columns: in this stage {source.format} has no field {said}. It has "
            f"{', '.join(known)}; before a colon stands what it is called here, behind it what the "
            "file calls it"
        )


def _meant(name: str, form: Form[Any]) -> str | None:
    """The field of ``form`` that another program calls ``name``, or one that is nearly called so."""
    others = [ours for ours, likened in form.others.items() if name in likened]
    return next(iter([*others[-1:], *get_close_matches(name.lower(), (*form.fields, *form.tags), 1)]), None)


def _renamed(raw: dict[str, Any], columns: Mapping[str, str], form: Form[Any]) -> dict[str, Any]:
    """The row ``raw`` with its fields called as ``form`` has them; ``columns`` says what they are called.

    A field that is no reader's, and has the name of one that was renamed, does not stand in its way. One
    that a row of ``form`` may lack, it may lack under the other name too.

    Raises:
        FieldError: it lacks another of them.
    """
    for ours, theirs in columns.items():
        if theirs not in raw and (ours in form.required or (form.any_other and ours not in form.fields)):
            raise FieldError(theirs, f"is to be {ours}, by columns; the row has {names(raw)}")
    kept = {key: value for key, value in raw.items() if key not in columns.values()}
    return kept | {ours: raw[theirs] for ours, theirs in columns.items() if theirs in raw}


def _remedy(lost: LeftOut, row: dict[str, Any], columns: Mapping[str, str], form: Form[Any]) -> str:
    """What becomes of a field that would be left out of ``row``, which is renamed by ``columns``."""
    remedy = lost.problem
    if lost.ours is not None:
        line = _said({**columns, **_guessed(row, form), lost.ours: lost.field})
        remedy = (
            "would be left out. If it belongs to what is asked, give the source "
            f"`columns: {{{line}}}`; else take it out of the rows"
        )
    if form.any_other:
        remedy += f". If the rewards alone are to have it: `columns: {{my_{lost.field}: {lost.field}}}`"
    return remedy


def hint(raw: Any, field: str, name: str, forms: Mapping[str, Form[Any]]) -> str:
    """How a recipe would read ``raw``, which lacks the ``field`` of its format; "" where nobody knows.

    It is guessed from names that are near the format's, or that others give to the same, unless the row is
    one of a known file. ``name`` is the format's in ``forms``, which are all that the stage reads.
    """
    if known := foreign.told(raw):
        return f". {known}"
    if "labels" in forms and name != "labels" and (mark := _mark(raw)) and field not in raw:
        return f". Rows with a {mark} are `format: labels`, for the loss kto"
    form = forms[name]
    wanted = form.also.get(field, field)
    if not isinstance(raw, dict) or field in raw or wanted not in form.required:
        return ""
    for keys, other in _FORMATS.items():
        if not raw.keys() >= set(keys) or other not in forms or other == name:
            continue
        if (name, other) != ("sharegpt", "messages") or _in_openais_form(raw["messages"]):
            return f". Rows of {' and '.join(keys)} are `format: {other}`"
    columns = _guessed(raw, form)
    if wanted not in columns:
        left = [str(key) for key in raw if key not in form.fields]
        close = get_close_matches(field, left, n=1, cutoff=_MISSPELT)
        return f". Did you misspell {field!r} as {close[0]!r}?" if close else ""
    return f". If they are called otherwise, give the source `columns: {{{_said(columns)}}}`"


def _mark(raw: Any) -> str | None:
    """The field of ``raw`` that says whether its one answer is good."""
    if not isinstance(raw, dict) or raw.keys() & {"chosen", "rejected"}:
        return None
    return next((key for key in ("kto_tag", "label") if key in raw), None)


def _in_openais_form(turns: Any) -> bool:
    """Whether the first of ``turns`` has OpenAI's keys, and none of sharegpt's."""
    first = turns[0] if isinstance(turns, list) and turns else None
    return isinstance(first, dict) and "role" in first and not first.keys() & {"from", "value"}


def _guessed(raw: dict[str, Any], form: Form[Any]) -> dict[str, str]:
    """What the fields of ``form`` that ``raw`` lacks may be called in it."""
    columns: dict[str, str] = {}
    for ours, others in form.others.items():
        left = [key for key in raw if key not in columns.values()]
        theirs = _near(ours, others, left) if ours not in raw else None
        if theirs and (ours not in _LISTS or isinstance(raw[theirs], list)):
            columns[ours] = theirs
    return columns


def _said(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{ours}: {theirs}" for ours, theirs in columns.items())


def _near(ours: str, names: tuple[str, ...], given: list[str]) -> str | None:
    """The field of ``given`` that most likely is ``ours``."""
    lower = {key.strip().lower(): key for key in reversed(given)}
    return next((lower[name] for name in (ours, f"{ours}s", *names) if name in lower), None)
