"""Proof that the engine applies an adapter: it must change what the model thinks of fixed texts.

vLLM can accept an adapter of which no matrix meets a layer, and then answers with the base's weights.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import orjson

from service.engine import EngineClient
from service.errors import AdapterRejected, EngineRefused

PROMPTS = (
    "Where is my parcel? It should have come on Monday, and nobody has called me since.",
    "我的包裹在哪里？我想更改收货地址，谢谢。",
    '{"name": "Anna", "items": [{"product": "mug", "quantity": 2}], "city": "Leeds"}',
    "47 + 25: 7 + 5 = 12, 40 + 20 = 60, so the answer is 72.",
)
LEAST_EFFECT = 1e-4  # natural log of a probability


async def prove(client: EngineClient, base: str, adapter: str) -> float:
    """The largest change of a token's log-probability that the model ``adapter`` makes to ``base``.

    The base is asked twice: what differs between its two answers is noise of the engine, no effect.

    Raises:
        AdapterRejected: no effect, or not a number.
        EngineUnavailable: the engine went away.
    """
    try:
        first, second, changed = await asyncio.gather(
            *(_log_probabilities(client, model) for model in (base, base, adapter))
        )
    except EngineRefused as exc:
        raise AdapterRejected([f"{adapter}: the engine could not answer the probe with it: {exc}"]) from exc
    if not changed or len(changed) != len(first) or not all(map(_is_number, changed)):
        raise AdapterRejected([f"{adapter}: the engine computes no numbers with it; train it again"])
    effect, noise = _largest_difference(first, changed), _largest_difference(first, second)
    if effect <= max(LEAST_EFFECT, noise):
        raise AdapterRejected(
            [
                f"{adapter}: it has no effect: with it and without it the engine gives the same "
                f"log-probabilities (largest difference {effect:.1e}); its matrices are zero, or fit no "
                "layer that the engine adapts"
            ]
        )
    return effect


async def _log_probabilities(client: EngineClient, model: str) -> list[float]:
    """Of every token of every prompt but the first."""
    body = {"model": model, "prompt": PROMPTS, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}
    answer: Mapping[str, Any] = orjson.loads(await client.complete("/v1/completions", body))
    return [
        next(iter(token.values()))["logprob"]
        for choice in sorted(answer["choices"], key=lambda choice: choice["index"])
        for token in choice["prompt_logprobs"]
        if token is not None
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and math.isfinite(value)


def _largest_difference(one: list[float], other: list[float]) -> float:
    return max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0.0)
