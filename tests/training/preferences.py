"""Preferences to train on, in every form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.training.rows import WORDS
from training import recipe as recipes
from training.recipe import StageRecipe


def loaded(path: Path) -> StageRecipe:
    """The recipe in ``path``, of a stage that learns from rows."""
    recipe = recipes.load(path)
    assert isinstance(recipe, StageRecipe)
    return recipe


def pair(question: str, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    """Two answers to one question, as plain texts."""
    return {"prompt": question, "chosen": chosen, "rejected": rejected, **more}


PAIRS = [
    pair(
        f"Where is the {WORDS[i % 10]} {WORDS[i // 7 % 10]}?",
        " ".join(WORDS[: i % 3 + 1]) + f" {i}",
        " ".join(WORDS[-(i % 4) - 1 :]) + " late",
    )
    for i in range(30)
]
LABELS = [
    {"prompt": row["prompt"], "completion": row[answer], "label": answer == "chosen"}
    for row in PAIRS
    for answer in ("chosen", "rejected")
]
