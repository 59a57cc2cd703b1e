"""How far the policy has gone from its reference, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["k1", "k3"]
LARGEST_ERROR = 0.2  # Ziegler et al. 2019, section 2.2


def per_token(log_probs: Tensor, reference_log_probs: Tensor, estimator: Estimator) -> Tensor:
    """An estimate of KL[π, π_ref] from each sampled token, (B, T) in nats.

    With ``r = π_ref(a) / π(a)`` of a token that π sampled (Schulman 2020): ``k1 = -log r``, unbiased and of
    either sign; ``k3 = (r - 1) - log r``, unbiased, never negative and of less variance.

    By hand: π = 0.5 and π_ref = 0.25 give r = 0.5, k1 = log 2 = 0.6931 and k3 = -0.5 + 0.6931 = 0.1931.
    """
    log_ratio = reference_log_probs - log_probs
    if estimator == "k1":
        return -log_ratio
    return torch.expm1(log_ratio) - log_ratio


def penalised(scores: Tensor, kl: Tensor, answer_mask: Tensor, coefficient: float) -> Tensor:
    """What each token earns, (B, T): ``-β KL_t``, and at the answer's last token its score besides.

    ``R(x, y) = r(x, y) - β log(π(y|x) / π_ref(y|x))`` (Ziegler et al. 2019, section 2.2; Ouyang et al. 2022,
    eq. 2), the logarithm dealt out to the tokens that it is a sum over.

    Args:
        scores: (B,), r(x, y) of the whole answers.
        kl: (B, T) in nats, of :func:`per_token`.
        answer_mask: (B, T), True = a token of the answer; no answer is empty.
        coefficient: β, reward units per nat.
    """
    rewards = -coefficient * kl * answer_mask
    last = answer_mask.sum(dim=1, keepdim=True) - 1
    return rewards.scatter_add(1, last, scores[:, None].to(rewards))


@dataclass(slots=True)
class Controller:
    """The coefficient β: fixed, or led to where the KL is at its ``target``.

    ``e_t = clip((KL - KL_target) / KL_target, -0.2, 0.2)`` and ``β_{t+1} = β_t (1 + K_β e_t)``
    (Ziegler et al. 2019, section 2.2, where K_β is 0.1).
    """

    coefficient: float  # β, reward units per nat
    target: float | None = None  # nats per answer; None: β is fixed
    rate: float = 0.1  # K_β

    def update(self, kl: float) -> None:
        """Follow the KL that was measured, in nats per answer: the mean over answers of the sum over tokens.

        By hand: β = 0.2, target 6 and KL 12 give e = 0.2 (cut from 1) and β = 0.2 · 1.02 = 0.204.
        """
        if self.target is None:
            return
        error = (kl - self.target) / self.target
        self.coefficient *= 1 + self.rate * min(max(error, -LARGEST_ERROR), LARGEST_ERROR)
