"""Proof that the engine applies an adapter: it must change how the model goes on after fixed texts.

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
_NO_NUMBER = "float values are not JSON"  # vLLM's words where a log-probability is NaN
_SPOILT = (
    "the engine computes no numbers with it; train it again. What it computed may stay in the engine's cache "
    "and spoil other answers: restart the engine"
)
_TOKENS = 20  # compared for each prompt; the most that vLLM gives
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
        if _NO_NUMBER in str(exc):
            raise AdapterRejected([f"{adapter}: {_SPOILT}"]) from exc
        raise AdapterRejected([f"{adapter}: the engine could not answer the probe with it: {exc}"]) from exc
    if not all(values and all(map(_is_number, values.values())) for values in changed):
        raise AdapterRejected([f"{adapter}: {_SPOILT}"])
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


async def _log_probabilities(client: EngineClient, model: str) -> list[dict[str, object]]:
    """For each prompt: the likeliest next tokens with their log-probabilities.

    Not ``prompt_logprobs``, which would compare more tokens: vLLM's CPU build dies of it where an adapter
    may change the output layer.
    """
    body = {
        "model": model,
        "prompt": PROMPTS,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": _TOKENS,
        "return_tokens_as_token_ids": True,  # texts need not be unique
    }
    answer: Mapping[str, Any] = orjson.loads(await client.complete("/v1/completions", body))
    choices = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
    return [dict(choice["logprobs"]["top_logprobs"][0]) for choice in choices]


def _is_number(value: object) -> bool:
    return isinstance(value, float | int) and math.isfinite(value)


def _largest_difference(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    """Over all prompts and all tokens that both name; infinite where they name no token in common."""
    return max(
        max((abs(a[token] - b[token]) for token in a.keys() & b.keys()), default=math.inf)
        for a, b in zip(one, other, strict=True)
    )
