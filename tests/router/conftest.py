"""Encoders and routers that the router's tests share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from router.encoding.encoder import Encoder, Vectors
from router.examples import RoutingExamples
from router.router import Router


class WordEncoder:
    """Texts as bags of words in 64 hashed dimensions: no model, and texts that share words are similar."""

    inner = 0
    words: frozenset[str] = frozenset()

    def __init__(self, identity: str = "words") -> None:
        self.identity = identity
        self.calls: list[tuple[str, ...]] = []
        self.tuned_on: frozenset[str] = frozenset()

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(tuple(texts))
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, hashlib.sha256(word.encode()).digest()[0] % 64] += 1
            vectors[row, 0] += 0.1  # no zero vector
        lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / lengths

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        return np.array([text in self.tuned_on for text in texts], dtype=np.bool_)


def talk(*said: object) -> list[dict[str, object]]:
    """A conversation in which user and assistant take turns."""
    return [{"role": ("user", "assistant")[n % 2], "content": content} for n, content in enumerate(said)]


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the encoder's export, which is made once."""
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="session")
def encoder(exports: Path) -> Encoder:
    """The carried encoder."""
    return Encoder.load(folder=exports)


@pytest.fixture
def words() -> WordEncoder:
    """A fresh encoder without a model."""
    return WordEncoder()


FRUIT = ["red apple", "green apple", "ripe apple pie", "apple juice", "sour apple", "sweet apple tree"]
METAL = ["iron bar", "rusty iron", "iron gate", "cast iron pan", "iron ore mine", "heavy iron"]
WATER = ["deep river", "river bank", "cold river", "river bed stones", "wide river", "river boat"]
NONE = [
    *("loud music", "music band", "soft music", "music hall", "music lesson now", "old music"),
    *("new music", "music for two", "live music", "music school", "sad music", "music box"),
]


@pytest.fixture(scope="session")
def small_examples() -> RoutingExamples:
    """Three intents that words tell apart, and one thing that is out of scope."""
    return RoutingExamples({"fruit": FRUIT, "metal": METAL, "water": WATER}, NONE)


@pytest.fixture(scope="session")
def small_router(small_examples: RoutingExamples) -> Router:
    """A router over ``small_examples``, fitted without a model."""
    return Router.fit(small_examples, WordEncoder())
