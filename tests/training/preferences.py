"""Preferences to train on, in every form, and recipes of the stages that learn from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import WORDS
from training import recipe as recipes
from training import run
from training.errors import BadRows, NothingToLearn
from training.recipe import StageRecipe

Options = dict[str, Any]


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
ASKED, GOOD, BAD = ({"role": role, "content": said} for role, said in [
    ("user", "red?"), ("assistant", "blue 7"), ("assistant", "green")
])  # fmt: skip


def dpo(recipe: Callable[..., Path], **changes: Any) -> Path:
    """A recipe of dpo on ``PAIRS``."""
    return recipe(PAIRS, **{"form": "pairs", "stage": "dpo", **changes})


def rm(recipe: Callable[..., Path], **changes: Any) -> Path:
    """A recipe of rm on ``PAIRS``."""
    return recipe(PAIRS, **{"form": "pairs", "stage": "rm", **changes})


def refusal(path: Path, runs: Path) -> str:
    """What a run of the recipe in ``path`` says as it refuses its rows."""
    with pytest.raises((NothingToLearn, BadRows)) as caught:
        run.train(path, runs=runs, report=lambda _: None)
    return str(caught.value)
