"""Embeddings turned into their main directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from router.encoding.encoder import Vectors
from router.examples import RoutingExamples
from router.learning.fitting import fit
from router.model.features import Dense, Floats
from router.model.meaning import DIRECTIONS, Meaning
from tests.router.conftest import WordEncoder


def unit(vectors: Floats) -> Dense:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def test_few_examples_keep_all_their_similarities() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(20, 64)))
    rows = Meaning.fit(vectors).transform(vectors)
    assert rows.shape == (20, 20)
    np.testing.assert_allclose(rows @ rows.T, vectors @ vectors.T, atol=1e-4)


def test_what_no_example_points_to_is_short() -> None:
    examples = unit(np.eye(8, 32) + 0.1)
    stranger = np.zeros((1, 32), dtype=np.float32)
    stranger[0, 20] = 1
    rows = Meaning.fit(examples).transform(np.vstack([examples[:1], stranger]))
    lengths = np.linalg.norm(rows, axis=1)
    assert lengths[0] > 0.999
    assert lengths[1] < 0.5


def test_of_many_columns_the_main_ones_are_kept() -> None:
    rng = np.random.default_rng(1)
    scale = np.geomspace(1, 1e-3, 400)
    vectors = unit(rng.normal(size=(1_000, 400)) * scale)
    rows = Meaning.fit(vectors).transform(vectors)
    assert rows.shape == (1_000, DIRECTIONS)
    assert np.abs(rows @ rows.T - vectors @ vectors.T).max() < 0.01


def test_columns_may_count_more_or_less() -> None:
    embeddings = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    weights = np.array([1, 1, 1, 0.5, 0.5, 0], dtype=np.float32)
    rows = Meaning.fit(embeddings, weights).transform(embeddings)
    weighed = embeddings * weights
    np.testing.assert_allclose(rows @ rows.T, weighed @ weighed.T, atol=1e-4)


def test_an_inner_layer_that_only_disturbs_counts_less() -> None:
    """The own half is the intent's direction, the inner half says nothing: a fit on few takes less of it."""
    chance = np.random.default_rng(1)
    texts = {
        f"intent{k}": ["".join(chance.choice(list("abcdefghij"), 12)) for _ in range(12)] for k in range(4)
    }
    own = {
        text: np.eye(4)[k] + chance.normal(size=4) * 0.4 for k, of in enumerate(texts.values()) for text in of
    }

    class Noisy(WordEncoder):
        inner = 4

        def encode(self, texts: Sequence[str]) -> Vectors:
            halves = [
                (own.get(text, -np.ones(4)), np.random.default_rng(list(text.encode())).normal(size=4))
                for text in texts  # a decoy is away from every intent
            ]
            return np.array(
                [np.concatenate([half / np.linalg.norm(half) for half in both]) / 2**0.5 for both in halves],
                dtype=np.float32,
            )

    squares = (fit(RoutingExamples(texts), Noisy(), lambda _: None)[0].meaning.directions ** 2).sum(axis=1)
    np.testing.assert_allclose(squares, [1.5] * 4 + [0.5] * 4, rtol=1e-3)
