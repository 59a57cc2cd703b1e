"""Embeddings turned into their main directions."""

from __future__ import annotations

import numpy as np

from router.features import Dense, Floats
from router.meaning import DIRECTIONS, Meaning


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
