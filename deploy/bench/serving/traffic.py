"""What is asked: how long, of which model, streamed or not, with tools or not. A seed asks the same again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

_WORDS = (
    *("parcel", "order", "invoice", "courier", "address", "window", "number", "market", "letter", "garden"),
    *("river", "paper", "signal", "answer", "carton", "pallet", "station", "morning", "weight", "copper"),
)
AUTO = "auto"  # the model's name by which Pointsman is asked to route
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {argument: {"type": "string"}},
                "required": [argument],
            },
        },
    }
    for name, description, argument in (
        ("get_parcel", "Where a parcel is, and when it will come.", "parcel_id"),
        ("get_order", "What was ordered, and whether it is paid.", "order_id"),
    )
]


@dataclass(frozen=True)
class Mix:
    """One kind of traffic. Ranges are inclusive and uniform."""

    models: tuple[str, ...]  # the most popular first
    zipf: float = 0.0  # the k-th model gets a share of 1 / k ** zipf; 0: all the same
    prompt_words: tuple[int, int] = (200, 200)
    max_tokens: tuple[int, int] = (128, 128)
    stream: float = 1.0  # share of requests that are streamed
    tools: float = 0.0  # share of requests that offer tools
    routed: float = 0.0  # share of requests for AUTO, where the endpoint has it
    prompts: tuple[str, ...] = ()  # drawn from instead of made-up words
    ignore_eos: bool = False  # vLLM's option: answers have exactly max_tokens
    seed: int = 0
    callers: int = 1  # each with a key of its own
    caller_zipf: float = 0.0  # the k-th caller sends a share of 1 / k ** caller_zipf
    headed: float = 1.0  # share of requests that have the endpoint's further headers
    prefix_words: int = 0  # of a system prompt that requests share
    prefixes: int = 1  # different ones, drawn from alike
    usage: bool = True  # whether a stream is asked to end with the count of its tokens


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, ready to be sent."""

    model: str  # as results are told apart by: the mix's name for it, and whether tools or a header are there
    stream: bool
    body: bytes
    routed: bool = False
    caller: int = 0
    headed: bool = True


def asks(
    mix: Mix, names: Sequence[str], part: int = 0, *, auto: bool = False, place: int = 0
) -> Iterator[Ask]:
    """Endless requests of the mix. ``names`` are its models as this endpoint calls them.

    ``part`` gives other requests of the same mix; the same part is the same for every endpoint, but that
    those that are to be routed ask for a name where the endpoint does not route (``auto``), and that made-up
    prompts, as long, are of other words at each ``place``: where several endpoints are in front of one
    engine, its cache would else know the prompts of all but the first that is asked. So are shared system
    prompts, which are the same in every part.
    """
    random, words = np.random.default_rng([mix.seed, part]), np.random.default_rng([mix.seed, part, place, 2])
    shares, activity = _zipf(len(mix.models), mix.zipf), _zipf(mix.callers, mix.caller_zipf)
    prefixes = _prefixes(mix, place)
    while True:
        index = int(random.choice(len(shares), p=shares))
        prompt = _prompt(mix, random, words)
        stream = bool(random.random() < mix.stream)
        max_tokens = int(random.integers(*_inclusive(mix.max_tokens)))
        tools = mix.tools > 0 and bool(random.random() < mix.tools)
        routed = mix.routed > 0 and bool(random.random() < mix.routed) and auto
        caller = int(random.choice(mix.callers, p=activity)) if mix.callers > 1 else 0
        headed = mix.headed == 1 or bool(random.random() < mix.headed)
        system = prefixes[int(random.integers(len(prefixes)))] if prefixes else []
        name = AUTO if routed else names[index]
        body: dict[str, Any] = {
            "model": name,
            "messages": [*system, {"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "stream": stream,
        }
        if stream and mix.usage:
            body["stream_options"] = {"include_usage": True}
        if mix.ignore_eos:
            body["ignore_eos"] = True
        if tools:
            body["tools"] = _TOOLS
        label = (AUTO if routed else mix.models[index]) + (" + tools" if tools else "")
        if headed and mix.headed < 1:
            label += " + header"
        yield Ask(label, stream, orjson.dumps(body), name == AUTO, caller, headed)


def _zipf(count: int, exponent: float) -> npt.NDArray[np.float64]:
    """Shares of the first to the ``count``-th, which add up to 1."""
    shares = 1.0 / np.arange(1, count + 1) ** exponent
    return np.asarray(shares / shares.sum())


def _prefixes(mix: Mix, place: int) -> list[list[dict[str, str]]]:
    """The shared beginnings, each a list of one message; none if nothing is shared."""
    if not mix.prefix_words:
        return []
    words = np.random.default_rng([mix.seed, place, 3]).integers(
        0, len(_WORDS), (mix.prefixes, mix.prefix_words)
    )
    texts = (" ".join(_WORDS[word] for word in row) for row in words)
    return [[{"role": "system", "content": text}] for text in texts]


def _prompt(mix: Mix, random: np.random.Generator, made: np.random.Generator) -> str:
    if mix.prompts:
        return mix.prompts[int(random.integers(len(mix.prompts)))]
    words = made.integers(0, len(_WORDS), int(random.integers(*_inclusive(mix.prompt_words))))
    return " ".join(_WORDS[word] for word in words)


def _inclusive(bounds: tuple[int, int]) -> tuple[int, int]:
    return bounds[0], bounds[1] + 1
