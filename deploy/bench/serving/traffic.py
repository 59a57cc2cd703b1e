"""What is asked: how long, of which model, streamed or not. A seed always gives the same requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

_WORDS = (
    *("parcel", "order", "invoice", "courier", "address", "window", "number", "market", "letter", "garden"),
    *("river", "paper", "signal", "answer", "carton", "pallet", "station", "morning", "weight", "copper"),
)


@dataclass(frozen=True)
class Mix:
    """One kind of traffic. Ranges are inclusive and uniform."""

    models: tuple[str, ...]  # the most popular first
    zipf: float = 0.0  # the k-th model gets a share of 1 / k ** zipf; 0: all the same
    prompt_words: tuple[int, int] = (200, 200)
    max_tokens: tuple[int, int] = (128, 128)
    stream: float = 1.0  # share of requests that are streamed
    ignore_eos: bool = False  # vLLM's option: answers have exactly max_tokens
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, ready to be sent."""

    model: str
    stream: bool
    body: bytes


def asks(mix: Mix, names: Sequence[str], part: int = 0) -> Iterator[Ask]:
    """Endless requests of the mix. ``names`` are its models as this endpoint calls them.

    ``part`` gives other requests of the same mix; the same part is the same for every endpoint.
    """
    random = np.random.default_rng([mix.seed, part])
    shares = 1.0 / np.arange(1, len(mix.models) + 1) ** mix.zipf
    shares /= shares.sum()
    while True:
        index = int(random.choice(len(shares), p=shares))
        words = random.integers(0, len(_WORDS), int(random.integers(*_inclusive(mix.prompt_words))))
        stream = bool(random.random() < mix.stream)
        body: dict[str, Any] = {
            "model": names[index],
            "messages": [{"role": "user", "content": " ".join(_WORDS[word] for word in words)}],
            "max_tokens": int(random.integers(*_inclusive(mix.max_tokens))),
            "stream": stream,
        }
        if stream:
            body["stream_options"] = {"include_usage": True}
        if mix.ignore_eos:
            body["ignore_eos"] = True
        yield Ask(mix.models[index], stream, orjson.dumps(body))


def _inclusive(bounds: tuple[int, int]) -> tuple[int, int]:
    return bounds[0], bounds[1] + 1
