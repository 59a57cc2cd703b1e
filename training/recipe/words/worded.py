"""A recipe whose errors name ours for what another program calls otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, ClassVar, get_args

from pydantic import BaseModel

from pointsman.document import Document
from pointsman.problems import Location, dotted, field_names, misspelt
from training.recipe.words import tables
from training.recipe.words.data import IN_SOURCE

_NAMED = re.compile(
    r"\b(?:train|data|sampling|lora|qlora|freeze|prompt_tuning|kl|value|server)\.\w+|method: \w+"
)  # of ours


class Worded(Document):
    """A recipe whose errors name ours for what another program calls otherwise."""

    formats: ClassVar[tuple[str, ...]] = ()  # of its sources; none: what pydantic says of them

    @classmethod
    def reworded(cls, place: Location, kind: str, value: Any) -> str | None:
        """See :class:`Document`."""
        if kind == "extra_forbidden":
            said = cls._of_key(place)
            return f"unknown key; {said}" if said else None
        if kind == "literal_error" and place == ("loss",) and str(value) in tables.LOSSES:
            return f"must be a loss, found {value!r}; it is {tables.LOSSES[str(value)]!r} here"
        if kind == "literal_error" and place == ("scale_rewards",) and isinstance(value, bool):
            was = " and ".join(f"{str(old).lower()} is {new}" for old, new in tables.SCALED.items())
            return (
                f"must be 'group', 'batch' or 'none', found {str(value).lower()}; of TRL's older {was} here, "
                "batch had no word"
            )
        if kind == "literal_error" and place[:2] == ("data", "sources") and place[-1] == "format":
            return cls._of_formats(value)
        return None

    @classmethod
    def _of_key(cls, place: Location) -> str | None:
        """What is said of a key that is not ours; None: nothing but what may stand there."""
        name = str(place[-1])
        if "sources" in place[:-1]:
            return IN_SOURCE.get(name)
        theirs = tables.KEYS.get(name, ())
        if place[0] == "sampling" and name == "max_length":
            theirs = tables.KEYS["max_new_tokens"]
        ours = [key for key in theirs if has(cls, key)][:1] or list(named(cls, name))
        ours = [key for key in ours if key != dotted(place)]
        if ours:
            return f"here it is {' or '.join(map(_shown, ours))}"
        if said := tables.OTHERWISE.get(name):
            return cls._fitting(said)
        slip = misspelt(name, field_names(cls, place[:-1]))
        if not slip and (said := tables.family(name)):
            return cls._fitting(said)
        return (
            f"other stages have it as {_shown(theirs[0])}, this one has nothing like it" if theirs else None
        )

    @classmethod
    def _fitting(cls, said: str) -> str:
        """``said`` as far as it names keys that this stage has."""
        for key in _NAMED.finditer(said):
            if not has(cls, key[0]):
                end = max(said.rfind(mark, 0, key.start()) for mark in (": ", ", ", "; "))
                return said[:end] if end > 0 else "this stage has nothing like it"
        return said

    @classmethod
    def _of_formats(cls, value: Any) -> str | None:
        if not cls.formats:
            return None
        close = get_close_matches(str(value), cls.formats, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"must be one of {', '.join(cls.formats)}, found {value!r}{hint}"


def _shown(key: str) -> str:
    """``key`` in a sentence, or a key with its value."""
    return f"`{key}`" if ": " in key else key


def has(model: type[BaseModel], key: str) -> bool:
    """Whether a document of ``model`` may have the dotted ``key``, or ``key: value`` at its top."""
    key, _, value = key.partition(": ")
    name, _, rest = key.partition(".")
    field = model.model_fields.get(name)
    if field is None or not rest:
        return field is not None and (not value or value in get_args(field.annotation))
    kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
    return any(has(kind, rest) for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


def named(model: type[BaseModel], name: str) -> Iterator[str]:
    """The dotted keys that a document of ``model`` may have and that end in ``name``; none within a list."""
    if name in model.model_fields:
        yield name
    for key, field in model.model_fields.items():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
            if is_model and getattr(field.annotation, "__origin__", None) is not list:
                yield from (f"{key}.{rest}" for rest in named(kind, name))
