"""How well a converted model says what the method's own model says, on rows that neither has learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from training.data.tokens.token_rows import TokenRows

LIMIT = 200  # rows that are compared


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Compared over the trained tokens of held-out rows."""

    kl: float  # nats per token, KL(own || converted)
    top1: float  # share of tokens at which both would choose the same
    own_loss: float  # nats per token
    loss: float  # nats per token, of what was converted
    tokens: int

    def __str__(self) -> str:
        return (
            f"KL {self.kl:.2e} nats per token, the same first choice at {self.top1:.2%} of {self.tokens:,} "
            f"held-out tokens, loss {self.loss:.4f} in place of {self.own_loss:.4f}"
        )


def measure(own: Any, converted: Any, rows: TokenRows, limit: int = LIMIT) -> Fidelity:
    """Compare two models on the first ``limit`` of ``rows``; both take ids (1, T)."""
    kl = same = own_loss = loss = tokens = 0.0
    with torch.no_grad():
        for ids, learned in sequences(rows, limit):
            theirs = log_probs(own, ids)[learned].double()
            ours = log_probs(converted, ids)[learned].double()
            said = ids[0, 1:][learned][:, None]
            kl += divergence(theirs, ours).sum().item()
            same += (theirs.argmax(-1) == ours.argmax(-1)).sum().item()
            own_loss -= theirs.gather(1, said).sum().item()
            loss -= ours.gather(1, said).sum().item()
            tokens += len(said)
    return Fidelity(max(0.0, kl / tokens), same / tokens, own_loss / tokens, loss / tokens, int(tokens))


def sequences(rows: TokenRows, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Each row's ids (1, T), and which of the T-1 predictions are of trained tokens, True = trained."""
    for start, length in list(zip(rows.starts, rows.lengths, strict=True))[:limit]:
        ids = torch.from_numpy(rows.ids[start : start + length]).long()
        yield ids[None], torch.from_numpy(rows.loss_mask[start : start + length])[1:]


def log_probs(model: Any, ids: Tensor) -> Tensor:
    """Log-probabilities of the next token, (1, T) → (T-1, V), in nats; virtual tokens are left out."""
    logits = model(input_ids=ids).logits[0, -ids.shape[1] :]
    return log_softmax(logits[:-1].float(), dim=-1)


def divergence(theirs: Tensor, ours: Tensor) -> Tensor:
    """KL(theirs || ours) of each row of log-probabilities: (N, V) twice → (N,), in nats."""
    return (theirs.exp() * (theirs - ours)).sum(-1)
