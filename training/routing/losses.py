"""What an encoder loses on a batch, beside what its directions say of each text alone."""

from __future__ import annotations

import torch
from torch.nn.functional import log_softmax

TEMPERATURE = 0.1  # of the similarities; that of the paper


def contrast(vectors: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Supervised contrastive loss (arXiv:2004.11362, equation 2), in nats: the mean over texts with partners.

    ``vectors`` ``(B, H)`` of length 1; partners are texts of the same of ``classes`` ``(B,)``. A text loses
    the mean negative log-probability of its partners, in the softmax over its similarities to all other
    texts. Zero where no text has a partner.
    """
    itself = torch.eye(len(classes), dtype=torch.bool, device=vectors.device)
    partners = (classes[:, None] == classes) & ~itself  # (B, B)
    chances = log_softmax((vectors @ vectors.T / TEMPERATURE).masked_fill(itself, -torch.inf), dim=-1)
    counts = partners.sum(dim=-1)  # (B,)
    each = -chances.masked_fill(~partners, 0).sum(dim=-1) / counts.clamp_min(1)
    return each.sum() / (counts > 0).sum().clamp_min(1)
