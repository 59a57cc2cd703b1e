"""PPO on a task whose optimum is known.

Answers are two tokens out of three, so there are nine; each has a fixed reward r(y). What PPO maximises,
``E[r(y)] - β KL[π, π_ref]``, has its maximum at ``π*(y) ∝ π_ref(y) exp(r(y) / β)`` (Rafailov et al. 2023,
arXiv:2305.18290, eq. 4), and its value there is ``β log Σ_y π_ref(y) exp(r(y) / β)``.
"""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from training.methods import lora
from training.online.answers import LocalSampler
from training.online.policy import Policy, log_probs
from training.ppo.learner import Learner
from training.recipe import Lora, PpoRecipe

BETA, STEPS, ROWS = 0.5, 40, 256
PROMPT = (0, 1, 2)
ANSWERS = list(itertools.product(range(3), repeat=2))
REWARDS = torch.tensor([[0.0, 1.0, 0.2], [0.6, 0.0, 0.0], [0.9, 0.1, 0.4]])  # by first and second token


@pytest.fixture
def recipe() -> PpoRecipe:
    return PpoRecipe.model_validate(
        {
            "stage": "ppo",
            "name": "bandit",
            "alias": "bandit",
            "base": "none",
            "data": {"sources": [{"generator": "none:none", "rows": 1}]},
            "rewards": [{"rule": "none:none"}],
            "sampling": {"max_new_tokens": 2, "batch_rows": ROWS},
            "kl": {"coefficient": BETA},
            "value": {"learning_rate": 0.02, "clip": None},
            "train": {
                "steps": STEPS,
                "rollout_rows": ROWS,
                "minibatch_rows": ROWS // 2,
                "batch_rows": ROWS,
                "epochs": 4,
                "learning_rate": 0.02,
                "schedule": "linear",
                "lam": 1.0,
                "normalise_rewards": False,
                "whiten_advantages": False,
            },
        }
    )


@pytest.fixture
def policy() -> Policy:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=3,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=8,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = lora.add(LlamaForCausalLM(config), Lora(rank=4, alpha=8), seed=0).eval()
    return Policy(model, stops=(), pad=0, temperature=1.0, precision=torch.float32)


def of_all_answers(policy: Policy, *, reference: bool = False) -> Tensor:
    """π(y) of the nine answers, (9,), exactly."""
    layout = policy.layout([PROMPT] * 9, ANSWERS)
    if reference:
        return policy.reference_log_probs(layout).sum(1).exp()
    with torch.no_grad():
        return log_probs(policy.logits(layout)[0], layout.answers).sum(1).exp()


def test_ppo_finds_the_optimum(recipe: PpoRecipe, policy: Policy) -> None:
    reference = of_all_answers(policy, reference=True)
    assert reference.sum().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(reference, of_all_answers(policy))  # a fresh adapter changes nothing
    worth = REWARDS.flatten()
    optimum = reference * (worth / BETA).exp()
    best = BETA * optimum.sum().log().item()
    optimum /= optimum.sum()

    def value(chances: Tensor) -> float:
        return float((chances * (worth - BETA * (chances / reference).log())).sum())

    assert value(optimum) == pytest.approx(best, abs=1e-5)
    learner = Learner(recipe, policy, None)
    sampler = LocalSampler(policy.model, recipe.sampling, policy.stops, policy.pad)
    for step in range(1, STEPS + 1):
        answers = sampler.sample([PROMPT] * ROWS, seed=step)
        scores = torch.tensor([REWARDS[first, second] for first, second in answers.ids])
        learner.step(step, [PROMPT] * ROWS, answers, scores, seed=step)

    found = of_all_answers(policy)
    torch.testing.assert_close(of_all_answers(policy, reference=True), reference)  # it stands still
    away = 0.5 * (optimum - reference).abs().sum().item()  # total variation
    left = 0.5 * (optimum - found).abs().sum().item()
    assert away > 0.25
    assert left < 0.03
    assert value(reference) < best - 0.08
    assert value(found) > best - 0.005
