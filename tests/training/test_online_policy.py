"""The policy's view of answers: padding changes nothing, and the reference is what the run began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pointsman import artefact
from tests.training.asking import Online
from tests.training.test_run import metrics, quiet
from training import recipe as recipes
from training import run
from training.models import base as bases
from training.online import policy as policies
from training.online.answers import LocalSampler, ended, lay_out
from training.online.policy import Policy, log_probs
from training.recipe import PpoRecipe, Sampling

PROMPTS = [[5, 6, 7, 8, 9], [10], [11, 12, 13]]
ANSWERS = [[20, 21], [22, 23, 24, 25], [26]]


def loaded(path: Path) -> Policy:
    recipe = recipes.load(path)
    assert isinstance(recipe, PpoRecipe)
    return policies.load(recipe, bases.load_tokenizer(recipe.base), "fp32")


def alone(policy: Policy, prompt: list[int], answer: list[int]) -> list[float]:
    """The answer's log-probs by a plain forward of one row, without padding."""
    ids = torch.tensor([prompt + answer])
    with torch.no_grad():
        logits = policy.model(input_ids=ids).logits[0] / policy.temperature
    chances = torch.log_softmax(logits, -1)
    return [float(chances[len(prompt) - 1 + i, token]) for i, token in enumerate(answer)]


def unpadded(values: Tensor) -> list[list[float]]:
    return [row[: len(answer)].tolist() for row, answer in zip(values, ANSWERS, strict=True)]


def test_an_answer_is_laid_out_right_behind_its_prompt() -> None:
    layout = lay_out(PROMPTS[:2], ANSWERS[:2], 0, torch.device("cpu"))
    assert layout.ids.tolist() == [[5, 6, 7, 8, 9, 20, 21], [10, 22, 23, 24, 25, 0, 0]]
    assert layout.places.tolist() == [[5, 6, 6, 6], [1, 2, 3, 4]]
    assert layout.answers.tolist() == [[20, 21, 21, 21], [22, 23, 24, 25]]
    assert layout.answer_mask.tolist() == [[True, True, False, False], [True] * 4]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_padding_changes_no_log_prob(online: Online, temperature: float) -> None:
    policy = loaded(online("ppo", **{"sampling.temperature": temperature}))
    layout = policy.layout(PROMPTS, ANSWERS)
    with torch.no_grad():
        together = unpadded(log_probs(policy.logits(layout)[0], layout.answers))
    for prompt, answer, found in zip(PROMPTS, ANSWERS, together, strict=True):
        assert found == pytest.approx(alone(policy, prompt, answer), abs=1e-4)


def test_padding_changes_no_gradient_and_no_hidden_state(online: Online) -> None:
    """In float64, so that nothing but rounding's last digits is forgiven."""
    policy = loaded(online("ppo"))
    policy.model.double()
    _open_adapter(policy)
    weights = [weight for weight in policy.model.parameters() if weight.requires_grad]

    def said(prompts: list[list[int]], answers: list[list[int]]) -> tuple[Tensor, Tensor]:
        layout = policy.layout(prompts, answers)
        logits, hidden = policy.logits(layout)
        of_answers = (log_probs(logits, layout.answers) * layout.answer_mask).sum()
        return of_answers, (hidden * layout.answer_mask[..., None]).sum((1, 2))

    together, states = said(PROMPTS, ANSWERS)
    gradients = torch.autograd.grad(together, weights)
    apart = [said([prompt], [answer]) for prompt, answer in zip(PROMPTS, ANSWERS, strict=True)]
    torch.testing.assert_close(states, torch.cat([one for _, one in apart]))
    expected = torch.autograd.grad(torch.stack([one for one, _ in apart]).sum(), weights)
    assert any(gradient.abs().max() > 1e-3 for gradient in gradients)
    for found, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)  # the logits themselves are float32


def test_no_row_of_attention_is_empty(online: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that may look at nothing has a gradient of 0 / 0, which some kernels hand on as NaN."""
    policy = loaded(online("ppo"))
    attend: Any = torch.nn.functional.scaled_dot_product_attention
    masks: list[Tensor | None] = []

    def watched(*tensors: Tensor, attn_mask: Tensor | None = None, **how: Any) -> Any:
        masks.append(attn_mask)
        return attend(*tensors, attn_mask=attn_mask, **how)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    policy.logits(policy.layout(PROMPTS, ANSWERS))
    assert masks
    assert all(mask is None or mask.any(-1).all() for mask in masks)


def _open_adapter(policy: Policy) -> None:
    """Let the adapter say something: its second matrices begin at 0."""
    with torch.no_grad():
        for number, (name, weight) in enumerate(policy.model.named_parameters()):
            if "lora_B" in name:
                weight.normal_(0.0, 0.1, generator=torch.Generator().manual_seed(number))


def test_what_is_sampled_is_what_log_probs_are_of(online: Online) -> None:
    """Of 2,000 answers of one token, each token is drawn as often as its probability says."""
    policy = loaded(online("ppo"))
    plan = Sampling(max_new_tokens=1, temperature=1.3, batch_rows=500)
    sampler = LocalSampler(policy.model, plan, policy.stops, policy.pad)
    state = torch.random.get_rng_state()
    drawn = [ids[0] for ids in sampler.sample([[5, 6]] * 2000, seed=7).ids]
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        chances = torch.softmax(policy.model(input_ids=torch.tensor([[5, 6]])).logits[0, -1] / 1.3, -1)
    counts = torch.bincount(torch.tensor(drawn), minlength=len(chances)) / 2000
    error = (chances * (1 - chances) / 2000).sqrt()
    assert ((counts - chances).abs() < 5 * error + 1e-3).all()
    assert drawn == [ids[0] for ids in sampler.sample([[5, 6]] * 2000, seed=7).ids]


def test_left_padding_does_not_change_what_is_said(online: Online, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = loaded(online("ppo"))
    sampler = LocalSampler(
        policy.model, Sampling(max_new_tokens=6, temperature=1e-4), policy.stops, policy.pad
    )
    together = sampler.sample(PROMPTS, seed=0)
    one_by_one = [sampler.sample([prompt], seed=0).ids[0] for prompt in PROMPTS]
    assert together.ids == one_by_one


def test_an_answer_ends_with_its_first_end_of_turn() -> None:
    assert ended([4, 2, 0, 0], (0, 2)) == [4, 2]
    assert ended([4, 5], (0, 2)) == [4, 5]


def test_a_run_that_goes_on_is_held_to_where_it_began(online: Online, speaker: Path, tmp_path: Path) -> None:
    first = run.train(online("ppo", **{"train.steps": 6}), runs=tmp_path, report=quiet)
    path = online("ppo", name="second", init_adapter=str(first), **{"train.steps": 2})
    policy = loaded(path)
    layout = policy.layout(PROMPTS, ANSWERS)
    with torch.no_grad():
        began = log_probs(policy.logits(layout)[0], layout.answers)
        with policy.model.disable_adapter():
            plain = log_probs(policy.logits(layout)[0], layout.answers)
    reference = policy.reference_log_probs(layout)
    torch.testing.assert_close(began, reference)
    assert (reference - plain).abs().max() > 0.01  # not the base

    trained: dict[str, Any] = {n: p for n, p in policy.model.named_parameters() if p.requires_grad}
    assert trained
    assert all(".default." in name for name in trained)
    with torch.no_grad():
        for parameter in trained.values():
            parameter.add_(0.05)
        assert (log_probs(policy.logits(layout)[0], layout.answers) - began).abs().max() > 0.01
    torch.testing.assert_close(policy.reference_log_probs(layout), reference)

    second = run.train(path, runs=tmp_path, report=quiet)
    assert artefact.read_manifest(second).parent == f"tiny@{artefact.version_of(first)}"
    assert metrics(tmp_path / "second")[0]["eval_kl"] == pytest.approx(0, abs=1e-5)
    assert load_file(second / artefact.WEIGHTS).keys() == load_file(first / artefact.WEIGHTS).keys()


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_groups_that_go_on_are_held_to_where_they_began(online: Online, tmp_path: Path, kind: str) -> None:
    first = run.train(online("ppo", **{"train.steps": 6}), runs=tmp_path, report=quiet)
    second = run.train(online(kind, name="second", init_adapter=str(first)), runs=tmp_path, report=quiet)
    lines = metrics(tmp_path / "second")
    assert lines[0]["eval_kl"] == pytest.approx(0, abs=1e-5)
    assert lines[1]["token_kl"] == pytest.approx(0, abs=1e-5)
    assert 0 <= lines[1]["stopped"] <= 1
    assert "unstopped" not in lines[1]
    assert lines[-1]["eval_kl"] != 0
    assert load_file(second / artefact.WEIGHTS).keys() == load_file(first / artefact.WEIGHTS).keys()
