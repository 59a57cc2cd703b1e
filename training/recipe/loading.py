"""Reads a recipe: the stage says which form it has; all of its problems come at once."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pointsman import document
from pointsman.core_yaml import write_core
from pointsman.document import DocumentError
from pointsman.problems import Problem
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

    Raises:
        DocumentError: with every problem of the file, or, where the file is right, of the overrides.
    """
    text = document.read(path)
    model = STAGES.get(_stage(text))
    if model is None:
        # An unreadable document says so itself; one without a stage gets that as its one problem.
        raw = _mapping(text, path)
        found = f", found {raw['stage']!r}" if "stage" in raw else ""
        raise DocumentError(path, [Problem(None, "stage", f"must be one of {', '.join(STAGES)}{found}")])
    recipe: Recipe = document.parse(model, text, path)
    if not overrides:
        return recipe
    raw = _mapping(text, path)
    problems = [problem for given in overrides if (problem := _override(raw, given))]
    if problems:
        raise DocumentError(path, problems)
    try:
        recipe = document.parse(model, write_core(raw), path)
    except DocumentError as exc:
        changed = [Problem(None, p.field, f"{p.message} (with {' '.join(overrides)})") for p in exc.problems]
        raise DocumentError(path, changed) from exc
    if problems := [problem for given in overrides for problem in _within(recipe, given)]:
        raise DocumentError(path, problems)
    return recipe


def _within(recipe: Recipe, given: str) -> list[Problem]:
    """What is wrong with the value of an override that fits its place."""
    key, _, value = given.partition("=")
    place = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    return document.problems_within(recipe, place, value)


def _stage(text: str) -> str:
    try:
        raw = document.plain(text)
    except DocumentError:
        return ""
    return str(raw.get("stage")) if isinstance(raw, dict) else ""


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
    known = [str(i) for i in range(len(node))] if isinstance(node, list) else []
    close = get_close_matches(part, known, n=1) or known
    return Problem(
        None, "", f"--set {given}: nothing at {part!r}" + (f"; there is {', '.join(close)}" if close else "")
    )
