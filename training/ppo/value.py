"""The value head: what reward is to be expected from here on."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ValueHead(nn.Module):
    """Two layers on the policy's last hidden state, (B, T, H) → (B, T) in units of the reward.

    It departs from InstructGPT, whose value function is a model of its own: this one reads the policy's
    hidden state and gives no gradient back, so that neither learning disturbs the other. Its last layer
    begins at zero, so the first values are 0.
    """

    def __init__(self, hidden_size: int, seed: int) -> None:
        super().__init__()
        self.inner = nn.Linear(hidden_size, hidden_size)
        self.outer = nn.Linear(hidden_size, 1)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.inner.weight.normal_(0.0, hidden_size**-0.5, generator=generator)
            self.inner.bias.zero_()
            self.outer.weight.zero_()
            self.outer.bias.zero_()

    def forward(self, hidden: Tensor) -> Tensor:
        """The values, (B, T); the gradient ends here."""
        values: Tensor = self.outer(torch.tanh(self.inner(hidden.detach())))
        return values.squeeze(-1)
