"""Reads a recipe: the stage says which form it has; all of its problems come at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pointsman import document
from pointsman.document import DocumentError
from pointsman.problems import Location, Problem
from training.recipe import words
from training.recipe.cpt import CptRecipe
from training.recipe.dpo import DpoRecipe
from training.recipe.grpo import GrpoRecipe
from training.recipe.ppo import PpoRecipe
from training.recipe.quantize import QuantizeRecipe
from training.recipe.rm import RmRecipe
from training.recipe.router import RouterRecipe
from training.recipe.sft import SftRecipe

SupervisedRecipe = CptRecipe | SftRecipe | RmRecipe | DpoRecipe
LearningRecipe = SupervisedRecipe | PpoRecipe | GrpoRecipe
Recipe = LearningRecipe | QuantizeRecipe | RouterRecipe
STAGES: dict[str, type[Recipe]] = {
    "cpt": CptRecipe,
    "sft": SftRecipe,
    "rm": RmRecipe,
    "dpo": DpoRecipe,
    "ppo": PpoRecipe,
    "grpo": GrpoRecipe,
    "quantize": QuantizeRecipe,
    "router": RouterRecipe,
}


def load(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in ``path``, with ``overrides`` such as ``train.steps=20`` or ``data.sources.0.rows=500``.

    The overrides are laid over the file before it is looked at, so that one may mend what is wrong in it.

    Raises:
        DocumentError: with every problem of the two together; one that the file alone has not names the
            overrides.
    """
    text = document.read(path)
    raw = _mapping(text, path)
    problems = [problem for given in overrides if (problem := _override(raw, given))]
    if problems:
        raise DocumentError(path, problems)
    model = STAGES.get(str(raw.get("stage")))
    if model is None:
        found = f", found {raw['stage']!r}" if "stage" in raw else ""
        if meant := words.STAGES.get(str(raw.get("stage"))):
            found += f"; it is {meant} here"
        given = any(one.startswith("stage=") for one in overrides)
        line = None if given else document.lines_of(text).get(("stage",))
        raise DocumentError(path, [Problem(line, "stage", f"must be one of {', '.join(STAGES)}{found}")])
    if not overrides:
        return document.parse(model, text, path)
    try:
        recipe: Recipe = document.parse(model, text, path, (raw, {_place(given, raw) for given in overrides}))
    except DocumentError as exc:
        own = _own_problems(model, text, path)
        raise DocumentError(path, list(_told(exc.problems, own, overrides))) from exc
    if problems := [problem for given in overrides for problem in _within(recipe, given)]:
        raise DocumentError(path, problems)
    return recipe


def _own_problems(model: type[Recipe], text: str, path: Path) -> list[Problem]:
    """What is wrong in the file by itself."""
    try:
        document.parse(model, text, path)
    except DocumentError as exc:
        return exc.problems
    return []


def _told(problems: Sequence[Problem], own: Sequence[Problem], overrides: Sequence[str]) -> Iterator[Problem]:
    """``problems``, those that are not the file's ``own`` with the overrides at their place, or with all.

    All of them are said once.
    """
    everything = f" (with {' '.join(overrides)})"
    for one in problems:
        if one in own:
            yield one
            continue
        here = [given for given in overrides if _touch(given.partition("=")[0], one.field)]
        told = f" (with {' '.join(here)})" if here else everything
        if not here:
            everything = " (with the same)"
        yield Problem(None, one.field, one.message + told)


def _touch(key: str, field: str) -> bool:
    """Whether one of the two dotted paths leads through the other."""
    return f"{key}.".startswith(f"{field}.") or f"{field}.".startswith(f"{key}.")


def _place(given: str, raw: Any) -> Location:
    """Where an override stands in ``raw``; of one that another has replaced, where that stands."""
    place: Location = ()
    node = raw
    for part in given.partition("=")[0].split("."):
        if part not in (node if isinstance(node, dict) else _indices(node)):
            break
        key = int(part) if isinstance(node, list) else part
        place, node = (*place, key), node[key]
    return place


def _within(recipe: Recipe, given: str) -> list[Problem]:
    """What is wrong with the value of an override that fits its place."""
    key, _, value = given.partition("=")
    place = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    return document.problems_within(recipe, place, value)


def _mapping(text: str, path: Path) -> dict[str, Any]:
    raw = document.plain(text, path)
    if not isinstance(raw, dict):
        raise DocumentError(path, [Problem(1, "", "a recipe is a mapping; start with `stage: sft`")])
    return raw


def _override(raw: dict[str, Any], given: str) -> Problem | None:
    """Set one ``dotted.key=value`` in ``raw``; what is wrong with it, if anything."""
    key, separator, value = given.partition("=")
    parts = key.split(".")
    if not separator or not all(parts):
        return Problem(None, "", f"--set {given}: must be key=value, such as train.steps=20")
    try:
        chosen = document.plain(value)
    except DocumentError as exc:
        return Problem(None, "", f"--set {given}: the value is {exc.problems[0].message}")
    node: Any = raw
    for part in parts[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(part, {})
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return _no_such(given, part, node)
    if isinstance(node, dict):
        node[parts[-1]] = chosen
    elif isinstance(node, list) and parts[-1].isdigit() and int(parts[-1]) < len(node):
        node[int(parts[-1])] = chosen
    else:
        return _no_such(given, parts[-1], node)
    return None


def _no_such(given: str, part: str, node: Any) -> Problem:
    known = _indices(node)
    close = get_close_matches(part, known, n=1) or known
    return Problem(
        None, "", f"--set {given}: nothing at {part!r}" + (f"; there is {', '.join(close)}" if close else "")
    )


def _indices(node: Any) -> list[str]:
    """The positions in ``node`` as they are written, if it is a list."""
    return [str(i) for i in range(len(node))] if isinstance(node, list) else []
