"""Proof that the engine applies an adapter: it must change how the model goes on after fixed texts.

vLLM can accept an adapter of which no matrix meets a layer, and then answers with the base's weights.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

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
_CLEAR_EFFECT = 0.5  # the same; in bfloat16 other requests in the batch change it by some hundredths
_REMEMBERED_SECONDS = 60.0

Answers = list[dict[str, Any]]  # for each prompt: the likeliest next tokens with their log-probabilities


class Probe:
    """Asks one base, and adapters on it, on one server or several.

    What the base said is remembered for a minute: where versions come and go under load, every prompt is a
    step of the engine in which all others wait longer for their next token.
    """

    def __init__(self, base: str, clock: Callable[[], float] = time.monotonic) -> None:
        """``base``: its name on the engine. ``clock``: seconds."""
        self._base = base
        self._clock = clock
        self._said: WeakKeyDictionary[EngineClient, tuple[float, Answers]] = WeakKeyDictionary()

    async def prove(self, client: EngineClient, adapter: str) -> float:
        """The largest change of a token's log-probability that the model ``adapter`` makes to the base.

        A change that is no larger than what other requests in the batch make is looked at again: the base is
        asked beside the adapter then, and twice, as what differs between its two answers is noise.

        Raises:
            AdapterRejected: no effect, or not a number.
            EngineUnavailable: the engine went away.
        """
        try:
            then, said = self._said.get(client, (-math.inf, []))
            if self._clock() - then < _REMEMBERED_SECONDS:
                effect = _largest_difference(said, await self._asked(client, adapter))
                if effect >= _CLEAR_EFFECT:
                    return effect
            first, second, changed = await asyncio.gather(
                _log_probabilities(client, self._base),
                _log_probabilities(client, self._base),
                self._asked(client, adapter),
            )
        except EngineRefused as exc:
            if _NO_NUMBER in str(exc):
                raise AdapterRejected([f"{adapter}: {_SPOILT}"]) from exc
            raise AdapterRejected(
                [f"{adapter}: the engine could not answer the probe with it: {exc}"]
            ) from exc
        effect, noise = _largest_difference(first, changed), _largest_difference(first, second)
        if effect <= max(LEAST_EFFECT, noise):
            raise AdapterRejected(
                [
                    f"{adapter}: it has no effect: with it and without it the engine gives the same "
                    f"log-probabilities (largest difference {effect:.1e}); its matrices are zero, or fit no "
                    "layer that the engine adapts"
                ]
            )
        if all(map(_are_numbers, first)):
            self._said[client] = self._clock(), first
        return effect

    async def _asked(self, client: EngineClient, adapter: str) -> Answers:
        changed = await _log_probabilities(client, adapter)
        if not all(map(_are_numbers, changed)):
            raise AdapterRejected([f"{adapter}: {_SPOILT}"])
        return changed


async def _log_probabilities(client: EngineClient, model: str) -> Answers:
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
    content = await client.complete("/v1/completions", body)
    try:
        choices = sorted(orjson.loads(content)["choices"], key=lambda choice: int(choice["index"]))
        found = [dict(choice["logprobs"]["top_logprobs"][0]) for choice in choices]
    except (ValueError, LookupError, TypeError) as exc:
        raise client.strange("POST /v1/completions", "log-probabilities", content) from exc
    if len(found) != len(PROMPTS):
        raise client.strange("POST /v1/completions", f"{len(PROMPTS)} choices", content)
    return found


def _are_numbers(answer: Mapping[str, object]) -> bool:
    return bool(answer) and all(
        isinstance(value, float | int) and math.isfinite(value) for value in answer.values()
    )


def _largest_difference(one: Answers, other: Answers) -> float:
    """Over all prompts and all tokens that both name; infinite where they name no token in common."""
    return max(
        max((abs(a[token] - b[token]) for token in a.keys() & b.keys()), default=math.inf)
        for a, b in zip(one, other, strict=True)
    )
