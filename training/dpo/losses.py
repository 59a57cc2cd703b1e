"""Preference losses that TRL leaves to us, as pure functions. Notation: ``B`` pairs in a batch."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid


def odds_ratio(chosen: torch.Tensor, rejected: torch.Tensor, weight: float) -> torch.Tensor:
    """ORPO's term against the rejected answers, (B,): Hong et al. (2024) eq. 7, times ``weight`` (λ, eq. 6).

    ``chosen``, ``rejected``: mean log-probability of an answer's tokens, (B,), in nats, at most 0. With
    odds(p) = p / (1 - p), eq. 4, the term is -λ log sigmoid(log(odds(chosen) / odds(rejected))).
    """
    return -weight * logsigmoid(_log_odds(chosen.float()) - _log_odds(rejected.float()))


def _log_odds(logp: torch.Tensor) -> torch.Tensor:
    """log(p / (1 - p)) of log p; exact near p = 1 and near p = 0 (Mächler 2012)."""
    near_one = torch.log(-torch.expm1(logp))
    near_zero = torch.log1p(-torch.exp(logp))
    return logp - torch.where(logp > -0.6931472, near_one, near_zero)
