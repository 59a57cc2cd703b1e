"""Scores of answers brought to one scale, whatever the reward model's is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST_VARIANCE = 1e-8


@dataclass(slots=True)
class RunningScale:
    """Mean and variance of all scores so far, by which new ones are normalised.

    Batches are joined as in Chan, Golub & LeVeque 1979 (Updating Formulae and a Pairwise Algorithm for
    Computing Sample Variances, eq. 2.1), so the result is that of all scores at once.
    """

    count: float = 0.0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared distances from the mean

    @property
    def deviation(self) -> float:
        """The standard deviation (divided by N), in units of the score."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    def update(self, scores: Tensor) -> None:
        """Take ``scores`` (B,) in."""
        new = scores.double()
        count, mean = float(len(new)), float(new.mean())
        squares = float(((new - mean) ** 2).sum())
        total, distance = self.count + count, mean - self.mean
        self.squares += squares + distance**2 * self.count * count / total
        self.mean += distance * count / total
        self.count = total

    def normalise(self, scores: Tensor) -> Tensor:
        """``scores`` (B,) as distances from the mean, in standard deviations.

        By hand: after scores 1, 2, 3, 6 (mean 3, variance 3.5) a score of 3 is 0 and one of 6 is 1.6036.
        """
        scale = math.sqrt(self.deviation**2 + SMALLEST_VARIANCE)
        return ((scores.double() - self.mean) / scale).to(torch.float32)
