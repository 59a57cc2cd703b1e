"""Statistics over the tokens of answers; padding counts for nothing."""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-8


def mean(values: Tensor, answer_mask: Tensor) -> Tensor:
    """The mean of ``values`` (B, T) over the True tokens, a scalar; every token weighs the same."""
    return (values * answer_mask).sum() / answer_mask.sum()


def variance(values: Tensor, answer_mask: Tensor) -> Tensor:
    """The mean squared distance from the mean over the True tokens, a scalar (divided by N, not N - 1)."""
    return mean((values - mean(values, answer_mask)) ** 2, answer_mask)


def whiten(values: Tensor, answer_mask: Tensor, *, keep_mean: bool = False) -> Tensor:
    """``values`` (B, T) with variance 1 over the True tokens; padding becomes 0.

    The mean becomes 0, unless ``keep_mean`` asks for it to stay what it was.

    Values 1, 2, 3 (mean 2, variance 2/3) become -1.2247, 0, 1.2247; with ``keep_mean`` 0.7753, 2, 3.2247.
    """
    centre = mean(values, answer_mask)
    white = (values - centre) * torch.rsqrt(variance(values, answer_mask) + SMALLEST_VARIANCE)
    return (white + centre if keep_mean else white) * answer_mask


def explained_variance(values: Tensor, returns: Tensor, answer_mask: Tensor) -> Tensor:
    """``1 - Var(returns - values) / Var(returns)``, a scalar: 1 is a perfect value head, 0 a constant one."""
    unexplained = variance(returns - values, answer_mask)
    return 1 - unexplained / variance(returns, answer_mask).clamp(min=SMALLEST_VARIANCE)
