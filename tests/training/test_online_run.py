"""ppo, grpo and rloo from recipe to artefact: repeatable, on record, and they raise the reward."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.asking import STAGES, Messages, Online, write_recipe
from tests.training.conftest import Recipe
from tests.training.disturbed import untimed
from tests.training.preferences import PAIRS
from tests.training.test_methods import of_shape
from tests.training.test_run import metrics, quiet
from training import run
from training.models import base as bases


@pytest.mark.parametrize("kind", STAGES)
def test_a_run_leaves_an_adapter_and_what_it_cost(
    online: Online, speaker: Path, tmp_path: Path, kind: str
) -> None:
    said: list[str] = []
    changes = {
        "train.steps": 12,
        "train.evaluate_every": 6,
        "train.learning_rate": 0.03,
        "train.batch_rows": 32,
        "data.validation_rows": 16,
        "sampling.unstopped_penalty": 0.0,  # in 8 tokens hardly an answer ends
        **(
            {"train.rollout_rows": 32, "train.minibatch_rows": 16}
            if kind == "ppo"
            else {"train.accumulate": 1}
        ),
    }
    path = online(kind, **changes)
    made = run.train(path, runs=tmp_path, report=said.append)
    manifest = artefact.read_manifest(made)
    assert (manifest.alias, manifest.stage, manifest.parent) == (
        "tiny",
        "ppo" if kind == "ppo" else "grpo",
        None,
    )
    assert manifest.base == artefact.identify_base(speaker)
    assert list(manifest.data) == [str(tmp_path / "tiny.jsonl")]
    state = load_file(made / artefact.WEIGHTS)
    assert all("lora_" in name for name in state)  # no value head, no reference
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}
    PeftModel.from_pretrained(bases.load_model(str(speaker)), str(made))

    lines = metrics(tmp_path / "tiny")
    evaluated = [line for line in lines if "eval_reward" in line]
    assert [line["step"] for line in evaluated] == [0, 6, 12]
    assert evaluated[0]["eval_kl"] == pytest.approx(0, abs=1e-6)  # it begins as its reference
    assert evaluated[-1]["eval_kl"] > 0.01
    assert manifest.metrics["eval_reward"] == evaluated[-1]["eval_reward"]
    assert manifest.metrics["eval_reward_before"] == evaluated[0]["eval_reward"]
    learned = [line["reward"] for line in lines if "reward" in line]
    assert len(learned) == 12
    error = evaluated[0]["eval_reward_error"] + evaluated[-1]["eval_reward_error"]
    assert evaluated[-1]["eval_reward"] > evaluated[0]["eval_reward"] + 2 * error
    assert (tmp_path / "tiny" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "before" in said[-1]


@pytest.mark.parametrize("kind", STAGES)
def test_the_same_seed_gives_the_same_bytes(online: Online, tmp_path: Path, kind: str) -> None:
    path = online(kind)
    first = run.train(path, runs=tmp_path / "a", report=quiet)
    second = run.train(path, runs=tmp_path / "b", report=quiet)
    assert artefact.version_of(first) == artefact.version_of(second)
    assert untimed(metrics(tmp_path / "a" / "tiny")) == untimed(metrics(tmp_path / "b" / "tiny"))
    other = run.train(path, overrides=["seed=1"], runs=tmp_path / "c", report=quiet)
    assert artefact.version_of(other) != artefact.version_of(first)


def test_a_trained_reward_model_is_listened_to(online: Online, recipe: Recipe, tmp_path: Path) -> None:
    """Its base, and so its tokenizer, may be another than the policy's."""
    path = recipe(PAIRS, form="pairs", stage="rm", name="judge", **{"train.steps": 1})
    judge = run.train(path, runs=tmp_path, report=quiet)
    rewards = [{"model": str(judge)}, {"rule": "tests.training.asking:vowels"}]
    run.train(online("ppo", rewards=rewards, **{"train.steps": 1}), runs=tmp_path, report=quiet)
    first = metrics(tmp_path / "tiny")[0]
    assert first["eval_reward_model"] != 0
    cut = 1 - first["eval_stopped"]
    expected = first["eval_reward_model"] + first["eval_reward_vowels"] - cut
    assert first["eval_reward"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", ["qwen2", "qwen3", "mistral", "gemma"])
def test_a_policy_learns_on_each_architecture(base: Path, tmp_path: Path, shape: str) -> None:
    folder = of_shape(tmp_path / shape, base, shape)
    one: dict[str, Any] = {"train.steps": 1}
    made = run.train(write_recipe(tmp_path, folder, "ppo", **one), runs=tmp_path, report=quiet)
    weights = load_file(made / artefact.WEIGHTS)
    assert any(bool(weight.any()) for name, weight in weights.items() if "lora_B" in name)


def by_letters(prompts: Sequence[Messages], completions: Sequence[Messages], **_: object) -> list[float]:
    """A rule by which hardly two answers are worth the same."""
    return [float(sum(map(ord, answer[0]["content"])) % 17) for answer in completions]


def test_the_loss_of_groups_and_what_scales_it_can_be_chosen(online: Online, tmp_path: Path) -> None:
    """By the length of the gradients of the same answers; left out, they are dapo's, scaled by group."""

    def length(name: str, **options: Any) -> float:
        plan: dict[str, Any] = {
            "name": name,
            "train.steps": 2,
            "iterations": 2,
            "train.save_every": 2,
            "kl_coefficient": 0.0,
        }
        plan |= {
            "rewards": [{"rule": f"{__name__}:by_letters"}],
            "sampling.max_new_tokens": 64,
            "sampling.temperature": 5.0,
        }
        run.train(online("grpo", **plan, **options), runs=tmp_path, report=quiet)
        return [line["grad_norm"] for line in metrics(tmp_path / name) if "grad_norm" in line][-1]

    usual = length("usual")
    assert length("same", loss="dapo", scale_rewards="group") == usual
    others = [
        length("constant", loss="dr_grpo"),
        length("unscaled", scale_rewards="none"),
        length("tight", clip=1e-6),
        length("high", clip=1e-6, clip_high=0.5),
    ]
    assert len({usual, *others}) == 5, (usual, others)
