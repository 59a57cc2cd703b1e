"""Which of transformers' attentions a model gets."""

from __future__ import annotations

from typing import Any

FUSED, WRITTEN_OUT = "sdpa", "eager"  # as transformers calls them


def of(config: Any) -> str:
    """PyTorch's fused attention, or where a model caps attention's scores, as Gemma 2, the one written out.

    The fused one has no cap, and without a word gives another model's numbers (a score s is to become
    cap × tanh(s / cap)). The written-out one holds all scores at once.
    """
    return WRITTEN_OUT if caps_scores(config) else FUSED


def caps_scores(config: Any) -> bool:
    """Whether a model of this configuration caps attention's scores."""
    return getattr(config.get_text_config(), "attn_logit_softcapping", None) is not None
