"""Generalised advantage estimation."""

from __future__ import annotations

import torch
from torch import Tensor


def gae(
    rewards: Tensor, values: Tensor, answer_mask: Tensor, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Advantages and returns, each (B, T) in units of the reward; 0 on padding.

    ``δ_t = r_t + γ V(s_{t+1}) - V(s_t)`` and ``Â_t = Σ_l (γλ)^l δ_{t+l}`` (Schulman et al. 2016, eq. 16),
    computed from the end as ``Â_t = δ_t + γλ Â_{t+1}``. Behind an answer's last token V and Â are 0. The
    returns are ``Â_t + V(s_t)``, what the value head learns: TD(λ)'s target.

    Args:
        rewards: (B, T), what each token earns.
        values: (B, T), V(s_t): before token t is known.
        answer_mask: (B, T), True = a token of the answer.
        gamma: discount of a reward one token later; 1 leaves it whole.
        lam: 0 trusts the values (one step ahead), 1 the rewards alone.

    By hand, with γ = 0.5 and λ = 0.5, rewards 0, 0, 4 and values 1, 2, 3: δ = (0 + 1 - 1, 0 + 1.5 - 2,
    4 - 3) = (0, -0.5, 1); Â_3 = 1, Â_2 = -0.5 + 0.25 = -0.25, Â_1 = 0 - 0.0625; returns 0.9375, 1.75, 4.
    """
    rewards, values = rewards * answer_mask, values * answer_mask
    advantages = torch.zeros_like(values)
    next_value = next_advantage = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        next_advantage = (delta + gamma * lam * next_advantage) * answer_mask[:, t]
        next_value = values[:, t]
        advantages[:, t] = next_advantage
    return advantages, advantages + values
