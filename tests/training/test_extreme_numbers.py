"""Numbers that no arithmetic holds are refused where they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pointsman.document import DocumentError
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.preferences import PAIRS
from tests.training.test_run import quiet
from training import recipe as recipes
from training.errors import BadRows
from training.preflight import check


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("train.epochs=1e300", "less than or equal to 100000, found 1e[+]300"),
        ("train.epochs=200000", "must be less than or equal to 100000, found 200000"),
        ("train.learning_rate=1e39", "less than or equal to 1000, found 1e[+]39"),
        ("train.learning_rate=1.0e+5", "less than or equal to 1000, found 100000.0"),
        ("train.max_grad_norm=1e39", "max_grad_norm: must be within ±1e[+]30, which .*, found"),
    ],
)
def test_a_recipes(recipe: Recipe, change: str, told: str) -> None:
    with pytest.raises(DocumentError, match=told):
        recipes.load(recipe(), [change])


def test_a_recipes_with_its_line(recipe: Recipe) -> None:
    path = recipe(**{"train.learning_rate": 1e39})
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "learning_rate" in text)
    with pytest.raises(DocumentError, match=rf"tiny\.yaml:{line}: train\.learning_rate: must be less"):
        recipes.load(path)


@pytest.mark.parametrize("weight", [1e300, -1e7])
def test_a_rewards_weight(online: Online, weight: float) -> None:
    rewards = [{"rule": "tests.training.asking:vowels", "weight": weight}]
    with pytest.raises(
        DocumentError, match=r"rewards\.0\.weight: must be (less|greater) than or equal to -?1000000"
    ):
        recipes.load(online("ppo", rewards=rewards))


def test_rewards_that_all_weigh_nothing(online: Online) -> None:
    rewards = [{"rule": "tests.training.asking:vowels", "weight": 0}]
    with pytest.raises(DocumentError, match="rewards: all weights are 0"):
        recipes.load(online("grpo", rewards=rewards))


@pytest.mark.parametrize("margin", [10**400, -(10**400), 1e31])
def test_a_margin(recipe: Recipe, margin: Any) -> None:
    path: Path = recipe([{**PAIRS[0], "margin": margin}, *PAIRS], form="pairs", stage="rm")
    with pytest.raises(BadRows, match=r"tiny\.jsonl:1: margin: must be a finite number, found .*; 1e\+30"):
        check.check(path, [], quiet)
