"""Distillation: a fresh LoRA learns to say what the method's own model says (arXiv:1503.02531)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from training.convert.fidelity import divergence, log_probs, sequences
from training.data.preparing.collection import Report
from training.data.tokens.token_rows import TokenRows
from training.methods import lora
from training.recipe import Lora

BATCH = 4  # rows to a step
WARMUP = 0.05  # share of the steps


def distil(
    own: Any,
    base: Any,
    rows: TokenRows,
    *,
    rank: int,
    steps: int,
    learning_rate: float,
    seed: int,
    report: Report,
) -> Any:
    """A LoRA on ``base`` that follows ``own``: the mean KL(own || LoRA) over trained tokens goes down.

    AdamW, a cosine fall after a short rise, ``BATCH`` of ``rows`` a step. Returns PEFT's model.
    """
    student: Any = lora.add(base, Lora(rank=rank, alpha=2 * rank), seed)
    weights = [weight for weight in student.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    rng = np.random.default_rng(seed)
    for step in range(steps):
        chosen = rows.take(rng.integers(0, len(rows), BATCH))
        count = max(1, sum(int(learned.sum()) for _, learned in sequences(chosen)))
        total = 0.0
        for ids, learned in sequences(chosen):
            with torch.no_grad():
                theirs = log_probs(own, ids)[learned]
            loss = divergence(theirs, log_probs(student, ids)[learned]).sum() / count
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * _share(step, steps)
        optimiser.step()
        optimiser.zero_grad()
        if (step + 1) % max(1, steps // 10) == 0:
            report(f"step {step + 1} of {steps}: KL {total:.2e} nats per token")
    return student.eval()


def _share(step: int, steps: int) -> float:
    rise = max(1, round(WARMUP * steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
