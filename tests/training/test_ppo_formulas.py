"""PPO's formulas against numbers worked by hand, the papers' sums in plain loops, and other libraries.

The loops share nothing with the code under test: they follow the equations' own form (GAE as the double sum
of eq. 16, not the recursion), answer by answer, without padding or masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import entropy as scipy_entropy
from scipy.stats import zscore
from sklearn.metrics import explained_variance_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from training.ppo import kl, losses, masked
from training.ppo.advantages import gae
from training.ppo.scores import RunningScale

Floats = NDArray[np.float64]
LENGTHS = [5, 1, 3, 4]  # of the answers
MASK = torch.arange(5)[None] < torch.tensor(LENGTHS)[:, None]


def drawn(seed: int, scale: float = 1.0) -> Tensor:
    """(4, 5) numbers, padding included: what stands there must not matter."""
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(seed)) * scale


def answers(values: Tensor) -> list[Floats]:
    """The rows without their padding."""
    return [row[:length].double().numpy() for row, length in zip(values, LENGTHS, strict=True)]


def tokens(values: Tensor) -> Floats:
    """All answers' tokens, end to end."""
    joined: Floats = np.concatenate(answers(values))
    return joined


# --- by hand: the numbers of the docstrings --------------------------------------------------------------


def test_gae_by_hand() -> None:
    """γ = λ = 0.5, rewards 0, 0, 4, values 1, 2, 3; δ = 0, -0.5, 1."""
    mask = torch.tensor([[True, True, True, False]])
    rewards, values = torch.tensor([[0.0, 0, 4, 9]]), torch.tensor([[1.0, 2, 3, 9]])
    advantages, returns = gae(rewards, values, mask, gamma=0.5, lam=0.5)
    assert advantages.tolist() == [[-0.0625, -0.25, 1, 0]]
    assert returns.tolist() == [[0.9375, 1.75, 4, 0]]


def test_whitening_removes_the_mean_unless_asked_not_to() -> None:
    values, mask = torch.tensor([[1.0, 2, 3, 50]]), torch.tensor([[True, True, True, False]])
    white = math.sqrt(1.5)
    torch.testing.assert_close(masked.whiten(values, mask), torch.tensor([[-white, 0, white, 0]]))
    kept = torch.tensor([[2 - white, 2, 2 + white, 0]])
    torch.testing.assert_close(masked.whiten(values, mask, keep_mean=True), kept)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "clipped"),
    [
        (1.5, 2, -2.4, True),
        (1.5, -2, 3.0, True),
        (0.5, -2, 1.6, True),
        (0.5, 2, -1.0, True),
        (1.1, 2, -2.2, False),
    ],
)
def test_the_clipped_objective_by_hand(ratio: float, advantage: float, loss: float, clipped: bool) -> None:
    old = torch.tensor([[-1.0]])
    now = old + math.log(ratio)
    found = losses.policy_terms(now, old, torch.tensor([[float(advantage)]]), clip=0.2)
    assert found.item() == pytest.approx(loss)
    assert losses.is_clipped(now, old, clip=0.2).item() == clipped


def test_a_clipped_token_gives_no_gradient_where_it_would_go_on() -> None:
    now = torch.tensor([[math.log(1.5), math.log(1.5)]], requires_grad=True)
    terms = losses.policy_terms(now, torch.zeros(1, 2), torch.tensor([[2.0, -2.0]]), clip=0.2)
    torch.autograd.backward(terms.sum())
    assert now.grad is not None
    torch.testing.assert_close(now.grad, torch.tensor([[0.0, 3.0]]))  # -Â ρ where it is not clipped


def test_the_clipped_value_loss_by_hand() -> None:
    """V = 2, V_old = 1, R = 3, ε = 0.5: the value held back is 1.5, its error 2.25 beats 1."""
    value, old, returned = torch.tensor([[2.0]]), torch.tensor([[1.0]]), torch.tensor([[3.0]])
    assert losses.value_terms(value, old, returned, clip=0.5).item() == pytest.approx(1.125)
    assert losses.value_terms(value, old, returned, clip=None).item() == pytest.approx(0.5)


def test_kl_estimators_by_hand() -> None:
    """π = 0.5, π_ref = 0.25."""
    policy, reference = torch.tensor([[math.log(0.5)]]), torch.tensor([[math.log(0.25)]])
    assert kl.per_token(policy, reference, "k1").item() == pytest.approx(0.693147, abs=1e-6)
    assert kl.per_token(policy, reference, "k3").item() == pytest.approx(0.193147, abs=1e-6)


def test_the_score_is_earned_at_the_last_token() -> None:
    rewards = kl.penalised(torch.tensor([10.0, 20.0, 30.0, 40.0]), torch.ones(4, 5), MASK, 0.5)
    assert rewards.tolist() == [
        [-0.5, -0.5, -0.5, -0.5, 9.5],
        [19.5, 0, 0, 0, 0],
        [-0.5, -0.5, 29.5, 0, 0],
        [-0.5, -0.5, -0.5, 39.5, 0],
    ]


def test_the_controller_by_hand() -> None:
    """β = 0.2, target 6, K_β = 0.1: an error is cut to 0.2, so a step is at most 2 %."""
    controller = kl.Controller(0.2, target=6.0)
    controller.update(12.0)
    assert controller.coefficient == pytest.approx(0.204)
    controller.update(5.4)  # e = -0.1
    assert controller.coefficient == pytest.approx(0.204 * 0.99)
    fixed = kl.Controller(0.2)
    fixed.update(1e9)
    assert fixed.coefficient == 0.2


def test_running_scale_by_hand() -> None:
    """Scores 1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 4."""
    scale = RunningScale()
    scale.update(torch.tensor([1.0, 2.0]))
    scale.update(torch.tensor([3.0, 6.0]))
    assert [scale.mean, scale.deviation] == pytest.approx([3, math.sqrt(3.5)])
    assert scale.normalise(torch.tensor([3.0, 6.0])).tolist() == pytest.approx([0, 1.603567], abs=1e-6)


def test_the_pretraining_term_by_hand() -> None:
    """γ = 2, documents of log-probs -1, -3 and -5, the last one padding: 7 + 2 · 2."""
    said, mask = torch.tensor([[-1.0, -3.0, -5.0]]), torch.tensor([[True, True, False]])
    assert losses.with_pretraining(torch.tensor(7.0), said, mask, coefficient=2.0).item() == 11.0


# --- the papers' equations in plain loops -----------------------------------------------------------------


@pytest.mark.parametrize(("gamma", "lam"), [(1.0, 0.95), (0.9, 0.7), (1.0, 1.0), (0.99, 0.0)])
def test_gae_is_the_sum_of_equation_16(gamma: float, lam: float) -> None:
    rewards, values = drawn(1), drawn(2)
    advantages, returns = gae(rewards, values, MASK, gamma=gamma, lam=lam)
    for row, (r, v) in enumerate(zip(answers(rewards), answers(values), strict=True)):
        end = len(r)
        following = [*v[1:], 0.0]
        delta = [r[t] + gamma * following[t] - v[t] for t in range(end)]
        for t in range(end):
            expected = sum((gamma * lam) ** step * delta[t + step] for step in range(end - t))
            assert float(advantages[row, t]) == pytest.approx(expected, abs=1e-5)
            assert float(returns[row, t]) == pytest.approx(expected + v[t], abs=1e-5)
    assert not advantages[~MASK].any()


def test_with_lambda_1_the_return_is_what_was_earned_from_there_on() -> None:
    rewards = drawn(3)
    _, returns = gae(rewards, drawn(4), MASK, gamma=1.0, lam=1.0)
    for row, earned in enumerate(answers(rewards)):
        assert answers(returns)[row] == pytest.approx(np.cumsum(earned[::-1])[::-1], abs=1e-5)


def test_losses_are_those_of_single_tokens() -> None:
    now, old, advantages = drawn(5, 0.3), drawn(6, 0.3), drawn(7)
    found = masked.mean(losses.policy_terms(now, old, advantages, clip=0.2), MASK)
    expected = []
    for a, b, c in zip(tokens(now), tokens(old), tokens(advantages), strict=True):
        ratio = math.exp(a) / math.exp(b)
        expected.append(-min(ratio * c, min(max(ratio, 0.8), 1.2) * c))
    assert float(found) == pytest.approx(sum(expected) / sum(LENGTHS), abs=1e-5)

    values, before, returned = drawn(8), drawn(9), drawn(10)
    found = masked.mean(losses.value_terms(values, before, returned, clip=0.2), MASK)
    expected = []
    for v, o, r in zip(tokens(values), tokens(before), tokens(returned), strict=True):
        near = min(max(v, o - 0.2), o + 0.2)
        expected.append(max((v - r) ** 2, (near - r) ** 2) / 2)
    assert float(found) == pytest.approx(sum(expected) / sum(LENGTHS), abs=1e-5)


# --- other libraries --------------------------------------------------------------------------------------


def test_whitening_is_scipys_z_score() -> None:
    values = drawn(11, 3.0) + 7
    assert tokens(masked.whiten(values, MASK)) == pytest.approx(zscore(tokens(values)), abs=1e-4)
    kept = zscore(tokens(values)) + tokens(values).mean()
    assert tokens(masked.whiten(values, MASK, keep_mean=True)) == pytest.approx(kept, abs=1e-4)


def test_explained_variance_is_scikit_learns() -> None:
    values, returns = drawn(12), drawn(13) + drawn(12)
    expected = explained_variance_score(tokens(returns), tokens(values))
    assert float(masked.explained_variance(values, returns, MASK)) == pytest.approx(expected, abs=1e-5)


def test_running_scale_is_scikit_learns_over_any_cut() -> None:
    scores = torch.randn(50, generator=torch.Generator().manual_seed(14)) * 5 + 100
    scale, scaler = RunningScale(), StandardScaler()
    for batch in torch.split(scores, [1, 20, 7, 22]):
        scale.update(batch)
        scaler.partial_fit(batch[:, None].numpy())
    expected = scaler.transform(scores[:, None].numpy())[:, 0]
    assert scale.normalise(scores).tolist() == pytest.approx(expected.tolist(), abs=1e-4)


def test_entropy_is_scipys() -> None:
    logits = torch.randn(2, 3, 11, generator=torch.Generator().manual_seed(15)) * 3
    expected = scipy_entropy(torch.softmax(logits, -1).double().numpy(), axis=-1)
    assert losses.entropy(logits).numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_kl_estimates_are_right_on_average(estimator: kl.Estimator) -> None:
    """The mean over all tokens, weighed by how often the policy samples them, is scipy's KL."""
    generator = torch.Generator().manual_seed(16)
    policy, reference = (torch.log_softmax(torch.randn(1, 9, generator=generator), -1) for _ in range(2))
    estimates = kl.per_token(policy, reference, estimator)
    exact = rel_entr(policy.exp().double().numpy(), reference.exp().double().numpy()).sum()
    assert float((policy.exp() * estimates).sum()) == pytest.approx(exact, abs=1e-5)
    if estimator == "k3":
        assert (estimates >= 0).all()


FORMULAS: Sequence[Callable[[Tensor], Any]] = (
    lambda x: masked.whiten(x, MASK),
    lambda x: masked.explained_variance(x, 2 * x + 1, MASK),
    lambda x: gae(x, x, MASK, gamma=0.9, lam=0.9)[0],
)


@pytest.mark.parametrize("formula", FORMULAS)
def test_padding_counts_for_nothing(formula: Callable[[Tensor], Tensor]) -> None:
    values = drawn(17)
    other = torch.where(MASK, values, torch.full_like(values, 1e3))
    torch.testing.assert_close(formula(values), formula(other))
