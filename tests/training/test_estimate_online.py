"""What a policy's run needs beside its own weights: reward models, and keys and values of what it samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.asking import QUESTIONS, Online
from tests.training.conftest import Recipe
from tests.training.memory import peak
from tests.training.preferences import PAIRS
from tests.training.rollouts import Engine, serving
from tests.training.test_run import quiet
from training import recipe as recipes
from training import run
from training.models import base as bases
from training.models.reward_model import RewardModel
from training.online import policy, prompts
from training.preflight import check
from training.recipe import PpoRecipe
from training.runs import activations
from training.runs.estimate import Estimate


def needs(path: Path) -> Estimate:
    found = check.check(path, [], quiet).needs
    assert isinstance(found, Estimate)
    return found


@pytest.mark.parametrize("kind", ["ppo", "grpo"])
def test_reward_models_are_counted(recipe: Recipe, online: Online, tmp_path: Path, kind: str) -> None:
    path = recipe(PAIRS, form="pairs", stage="rm", name="judge", **{"train.steps": 1})
    judge = run.train(path, runs=tmp_path, report=quiet)
    rule = {"rule": "tests.training.asking:vowels"}
    alone, beside = needs(online(kind)), needs(online(kind, rewards=[rule, {"model": str(judge)}]))
    loaded: Any = RewardModel.load(judge)
    there = sum(weight.nbytes for weight in loaded._model.parameters())
    assert beside.rewards == there
    learning = beside.activations + max(beside.logits, beside.back)
    lasting = alone.memory - max(learning, alone.cache)
    assert beside.memory == lasting + there + max(learning, alone.cache, beside.scoring)
    assert "reward models" in str(beside)
    assert "reward models" not in str(alone)


def test_what_a_reward_model_holds_as_it_scores_is_counted(
    recipe: Recipe, online: Online, tmp_path: Path
) -> None:
    """Answers of unlike length, so that there is a mask; the last per cent are what turns keys by places."""
    path = recipe(PAIRS, form="pairs", stage="rm", name="judge", **{"train.steps": 1})
    judge = run.train(path, runs=tmp_path, report=quiet)
    scorer = RewardModel.load(judge)
    for longest in (60, 200):
        rows = [[5] * (longest - i) for i in range(40)]
        held = peak(lambda rows=rows: scorer.score_tokens(rows))  # type: ignore[misc]
        assert activations.scoring(judge, longest) == pytest.approx(held, rel=0.04)

    path = online("ppo", rewards=[{"model": str(judge)}])
    plan = recipes.load(path)
    assert isinstance(plan, PpoRecipe)
    asked = prompts.prepared(plan, plan.base, quiet).train.longest
    found = needs(path)
    assert found.scoring == activations.scoring(judge, asked + plan.sampling.max_new_tokens)
    assert found.memory - found.rewards - found.weights - found.gradients - found.optimiser == found.scoring
    assert "scoring, activations" in str(found)
    assert needs(online("ppo")).scoring == 0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_keys_and_values_are_those_that_the_model_keeps(online: Online, precision: str) -> None:
    path = online("ppo", **{"train.precision": precision, "sampling.batch_rows": 5})
    plan = recipes.load(path)
    assert isinstance(plan, PpoRecipe)
    tokenizer = bases.load_tokenizer(plan.base)
    asked = prompts.prepared(plan, plan.base, quiet).train.longest
    model: Any = policy.load(plan, tokenizer, plan.train.precision).model
    with torch.no_grad():
        length = asked + plan.sampling.max_new_tokens
        out = model(input_ids=torch.zeros(5, length, dtype=torch.long), use_cache=True)
    kept = sum(layer.keys.nbytes + layer.values.nbytes for layer in out.past_key_values.layers)
    assert needs(path).cache == kept


def test_many_answers_at_once_are_the_peak(online: Online, speaker: Path) -> None:
    few = needs(online("ppo"))
    many = needs(online("ppo", **{"sampling.batch_rows": 10_000}))
    assert few.memory == few.weights + few.gradients + few.optimiser + few.activations + few.logits
    assert many.memory - few.memory == many.cache - few.activations - few.logits > 0
    assert "keys and values" in str(many)
    with serving(Engine(speaker)) as address:
        assert needs(online("ppo", QUESTIONS, server={"url": address})).cache == 0  # they are there
