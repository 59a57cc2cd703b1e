"""A step of PPO: what it changes, and that how it is cut into batches does not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.asking import Online
from tests.training.rows import spoken, write_rows
from tests.training.test_online_policy import loaded
from tests.training.test_run import metrics, quiet
from training import recipe as recipes
from training import run
from training.online.answers import Answers
from training.ppo.learner import Learner
from training.recipe import PpoRecipe

PROMPTS = [[5, 6, 7], [8], [9, 10], [11, 12, 13, 14]]
ANSWERS = Answers([[20, 21], [22, 23, 24, 2], [25, 2], [26, 27, 28]], [False, True, True, False])
SCORES = torch.tensor([1.0, -1.0, 0.5, 2.0])


def learner(path: Path) -> Learner:
    recipe = recipes.load(path)
    assert isinstance(recipe, PpoRecipe)
    return Learner(recipe, loaded(path), None)


def weights(made: Learner) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in made.parameters()}


def step(made: Learner, number: int = 1) -> dict[str, float]:
    return made.step(number, PROMPTS, ANSWERS, SCORES, seed=number)


ONE_CHANGE = {"train.rollout_rows": 4, "train.minibatch_rows": 4, "train.epochs": 1}


def test_batches_that_fit_the_memory_change_nothing(online: Online) -> None:
    whole = learner(online("ppo", **ONE_CHANGE, **{"train.batch_rows": 4}))
    parts = learner(online("ppo", name="parts", **ONE_CHANGE, **{"train.batch_rows": 1}))
    assert step(parts) == pytest.approx(step(whole), abs=1e-5)
    assert step(parts, 2) == pytest.approx(step(whole, 2), rel=1e-3, abs=1e-4)


def test_the_first_change_is_of_an_unchanged_policy(online: Online) -> None:
    """Before any change ρ = 1, so the loss is minus the mean advantage, which whitening has made 0."""
    made = learner(online("ppo", **ONE_CHANGE))
    found = step(made)
    assert found["kl"] == pytest.approx(0, abs=1e-6)
    assert found["step_kl"] == pytest.approx(0, abs=1e-6)
    assert found["clip_fraction"] == 0
    assert found["policy_loss"] == pytest.approx(0, abs=1e-6)
    assert found["grad_norm"] > 0
    assert found["reward"] == pytest.approx(0.625)
    assert found["stopped"] == 0.5
    assert found["learning_rate"] == made.recipe.train.learning_rate
    assert found["tokens"] == 2.75


def test_while_the_value_head_warms_up_the_policy_stands_still(online: Online) -> None:
    made = learner(online("ppo", **{"value.warmup_steps": 2}))
    before = weights(made)
    for number in (1, 2):
        found = step(made, number)
        assert "grad_norm" not in found
    between = weights(made)
    assert all(torch.equal(between[name], before[name]) for name in before if name.startswith("policy."))
    assert any(not torch.equal(between[name], before[name]) for name in before if name.startswith("value."))
    assert step(made, 3)["grad_norm"] > 0
    after = weights(made)
    assert any(not torch.equal(after[name], before[name]) for name in before if name.startswith("policy."))


def test_the_value_head_learns_what_to_expect(online: Online) -> None:
    changes = {"value.warmup_steps": 60, "train.steps": 60, "value.learning_rate": 0.01, "value.clip": None}
    made = learner(online("ppo", **changes, **{"train.normalise_rewards": False}))
    found = [step(made, number)["explained_variance"] for number in range(1, 61)]
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert found[-1] > 0.9


def test_learning_rates_are_apart_and_fall_together(online: Online) -> None:
    changes = {"train.steps": 4, "train.schedule": "linear", "value.learning_rate": 0.5}
    made = learner(online("ppo", **changes, **{"train.learning_rate": 0.1}))
    made._set_rates(1)
    assert [group["lr"] for group in made.policy_optimiser.param_groups] == [0.1]
    made._set_rates(4)
    assert [group["lr"] for group in made.policy_optimiser.param_groups] == [pytest.approx(0.025)]
    assert [group["lr"] for group in made.value_optimiser.param_groups] == [pytest.approx(0.125)]


def test_a_dearer_kl_keeps_the_policy_nearer(online: Online, tmp_path: Path) -> None:
    changes = {"train.steps": 8, "train.rollout_rows": 24, "train.minibatch_rows": 12, "train.batch_rows": 12}
    gone = {}
    for coefficient in (0.0, 1.0):
        path = online("ppo", name=f"kl-{coefficient:.0f}", **changes, **{"kl.coefficient": coefficient})
        run.train(path, runs=tmp_path, report=quiet)
        gone[coefficient] = metrics(tmp_path / f"kl-{coefficient:.0f}")[-1]["eval_kl"]
    assert gone[1.0] < gone[0.0] / 2


def test_text_that_is_mixed_in_is_learned_too(online: Online, tmp_path: Path) -> None:
    texts = write_rows(tmp_path / "texts.jsonl", [{"text": text} for text in spoken()])
    mixed: dict[str, Any] = {
        "data": {"sources": [{"path": str(texts), "format": "text"}], "max_tokens": 32},
        "coefficient": 5.0,
    }
    run.train(online("ppo", pretraining=mixed, **{"train.steps": 8}), runs=tmp_path, report=quiet)
    lines = [line for line in metrics(tmp_path / "tiny") if "pretraining_loss" in line]
    assert len(lines) == 8
    assert lines[-1]["pretraining_loss"] < lines[0]["pretraining_loss"] - 1
    assert (tmp_path / "tiny" / "data.json").read_text("utf-8").count("jsonl") == 2
