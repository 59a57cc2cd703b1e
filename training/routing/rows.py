"""Rows ``{"text", "intent"}`` from files, generators, and the examples of a routes file.

Of a routes file only what it teaches is read; whether it can be served is for ``pointsman check`` to say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pointsman import document
from pointsman.document import DocumentError
from pointsman.spoken import spoken
from training.data.reading import sources
from training.data.row.fields import FieldError, shown, text_at
from training.data.row.form import Form
from training.errors import NothingToLearn, SourceError
from training.recipe import FileSource, RouterRecipe, Source

_FEWEST = 2  # rows of an intent that stay in training


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its intent, None if it belongs to none."""

    text: str
    intent: str | None
    where: str = field(default="", compare=False)  # as in errors.BadRow

    def canonical(self) -> bytes:
        """The row's bytes, the same for the same content."""
        return json.dumps([self.text, self.intent], ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Intents:
    """What a run learns from, and what it is evaluated on."""

    train: tuple[Labelled, ...]  # each intent's name, as one would say it, is one of its texts
    validation: tuple[Labelled, ...]
    names: tuple[str, ...]  # sorted
    outside: int  # rows that belong to no intent: those are left to the router, which weighs by them
    hashes: dict[str, str]  # source → sha256 of its rows
    repeated: int  # rows that were there before, and are left out

    def classes(self, rows: Sequence[Labelled]) -> list[int]:
        """The place of each row's intent in ``names``."""
        places: dict[str | None, int] = {name: place for place, name in enumerate(self.names)}
        return [places[row.intent] for row in rows]


def read(recipe: RouterRecipe) -> Intents:
    """All rows of ``recipe``, parted.

    Raises:
        SourceError, BadRows: as :func:`training.data.reading.sources.read` does.
        NothingToLearn: fewer than two intents, or none with rows enough to keep some out.
    """
    found = {source.label: of_source(source, recipe.seed) for source in recipe.data.sources}
    every = [row for rows in found.values() for row in rows]
    unique = tuple(dict.fromkeys(every))
    rows = tuple(row for row in unique if row.intent is not None)
    names = tuple(sorted({row.intent for row in rows if row.intent is not None}))
    if len(names) < 2:
        raise NothingToLearn(
            f"the rows are of {len(names)} intent{'s' if len(names) != 1 else ''} ({', '.join(names)}), and "
            "an encoder learns to keep two or more apart; give more sources"
        )
    held = _held_out(rows, recipe)
    train = [row for place, row in enumerate(rows) if place not in held]
    train += [Labelled(said, name) for name in names if (said := spoken(name))]
    return Intents(
        train=tuple(dict.fromkeys(train)),
        validation=tuple(rows[place] for place in sorted(held)),
        names=names,
        hashes={label: sources.digest(of) for label, of in found.items()},
        outside=len(unique) - len(rows),
        repeated=len(every) - len(unique),
    )


def of_source(source: Source, seed: int) -> list[Labelled]:
    """The rows of ``source``; raises as :func:`read` does."""
    if isinstance(source, FileSource) and source.format == "routes":
        return list(_of_routes(source.path))
    forms = {"intents": FORM}
    return [row for part in sources.parts(source, seed) for row in sources.read(part, forms, FORM)]


def labelled(raw: dict[str, Any]) -> Labelled:
    """``{"text": ..., "intent": ... or null}``."""
    text = text_at(raw, "text")
    if not text.strip():
        raise FieldError("text", "is empty; give what a user would write")
    if "intent" not in raw:
        raise FieldError("intent", "is missing; name the intent, or null where the text belongs to none")
    intent = raw["intent"]
    if intent is not None and (not isinstance(intent, str) or not intent):
        raise FieldError(
            "intent", f"must be a name, or null where the text belongs to none; found {shown(intent)}"
        )
    return Labelled(text, intent)


FORM = Form(
    labelled,
    ("text", "intent"),
    likened={"text": ("query", "utterance", "question", "sentence"), "intent": ("label", "category")},
    lone=True,
)


def _of_routes(path: Path) -> Iterator[Labelled]:
    """What the routes file ``path`` teaches: its own examples, and those of its example files."""
    try:
        content = document.plain(document.read(path), path)
    except DocumentError as exc:
        raise SourceError(str(exc)) from exc
    routes = content.get("routes") if isinstance(content, Mapping) else None
    if not isinstance(routes, list) or not all(isinstance(route, Mapping) for route in routes):
        raise SourceError(f"{path}: is no routes file, it has no list of `routes`")
    given = [
        (f"{path} routes.{i}.examples.{n}", {"text": text, "intent": route.get("intent")})
        for i, route in enumerate(routes)
        for n, text in enumerate(route.get("examples") or ())
    ]
    given += [
        (f"{path} out_of_scope.{n}", {"text": text, "intent": None})
        for n, text in enumerate(content.get("out_of_scope") or ())
    ]
    if given:
        yield from sources.gathered(given, FORM, str(path))
    for name in content.get("example_files") or ():
        yield from of_source(FileSource(path=path.parent / str(name), format="intents"), 0)


def _held_out(rows: Sequence[Labelled], recipe: RouterRecipe) -> set[int]:
    """The places of the rows to evaluate on: drawn by the seed, and no intent loses its last two."""
    left = Counter(row.intent for row in rows)
    wanted = recipe.data.validation_rows
    held: set[int] = set()
    for place in np.random.default_rng(recipe.seed).permutation(len(rows)):
        intent = rows[place].intent
        if len(held) < wanted and left[intent] > _FEWEST:
            left[intent] -= 1
            held.add(int(place))
    if not held:
        raise NothingToLearn(
            f"no intent has more than {_FEWEST} examples, so none can be kept out to evaluate on; write more"
        )
    return held
