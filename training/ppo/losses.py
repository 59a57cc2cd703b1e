"""What the policy and the value head minimise."""

from __future__ import annotations

import torch
from torch import Tensor

from training.ppo import masked


def policy_terms(log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, *, clip: float) -> Tensor:
    """The negative clipped objective of each token, (B, T); to be averaged over the answers' tokens.

    ``L_t = -min(ρ_t Â_t, clip(ρ_t, 1 - ε, 1 + ε) Â_t)`` with ``ρ_t = π(a_t|s_t) / π_old(a_t|s_t)``
    (Schulman et al. 2017, eq. 7).

    Args:
        log_probs: (B, T) of the policy that learns; the gradient goes through these.
        old_log_probs: (B, T) of the policy that sampled.
        advantages: (B, T).
        clip: ε; the ratio is of no more use beyond 1 ± ε.

    By hand, with ε = 0.2: ρ = 1.5 and Â = 2 give -min(3, 2.4) = -2.4; ρ = 1.5 and Â = -2 give
    -min(-3, -2.4) = 3; ρ = 0.5 and Â = -2 give -min(-1, -1.6) = 1.6.
    """
    ratio = torch.exp(log_probs - old_log_probs)
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def is_clipped(log_probs: Tensor, old_log_probs: Tensor, *, clip: float) -> Tensor:
    """(B, T) bool, True = the token's ratio has left 1 ± ``clip``."""
    return (torch.exp(log_probs - old_log_probs) - 1).abs() > clip


def value_terms(values: Tensor, old_values: Tensor, returns: Tensor, *, clip: float | None) -> Tensor:
    """Half the squared error of each value, (B, T), and no less than that of the value held near the old one.

    ``½ max((V - R)², (clip(V, V_old - ε, V_old + ε) - R)²)``: the form of OpenAI's implementation of PPO
    (baselines, ppo2/model.py), which the paper does not print. ``clip=None`` is ``½ (V - R)²``.

    By hand, with ε = 0.5, V = 2, V_old = 1 and R = 3: clip(V) = 1.5, so ½ max(1, 2.25) = 1.125.
    """
    error = (values - returns) ** 2
    if clip is not None:
        near = old_values + (values - old_values).clamp(-clip, clip)
        error = torch.maximum(error, (near - returns) ** 2)
    return 0.5 * error


def entropy(logits: Tensor) -> Tensor:
    """``-Σ_v p_v log p_v`` of each token's distribution, in nats: (B, T, V) → (B, T)."""
    log_probs = torch.log_softmax(logits, dim=-1)
    return -(log_probs.exp() * log_probs).sum(-1)


def with_pretraining(
    policy_loss: Tensor, token_log_probs: Tensor, mask: Tensor, *, coefficient: float
) -> Tensor:
    """The policy's loss with the pretraining gradient mixed in (PPO-ptx), a scalar.

    Negative of ``objective(φ) = E[...] + γ E_{x~D_pretrain}[log π(x)]`` (Ouyang et al. 2022, eq. 2). It
    departs from the paper in its unit: log π(x) is averaged over the tokens of x, so that γ does not depend
    on how long documents are.

    Args:
        policy_loss: scalar, in units of the reward.
        token_log_probs: (B, T) log π of the documents' tokens.
        mask: (B, T) bool, True = a token that is learned.
        coefficient: γ, reward units per nat.
    """
    return policy_loss - coefficient * masked.mean(token_log_probs, mask)
