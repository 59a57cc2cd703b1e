"""The encoder's own vectors, checked against sentence-transformers by itself."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from router.encoding import transformer
from router.encoding.encoder import Encoder, carried_folder

TEXTS = ["Where is my parcel PX482913?", "a", "我的包裹在哪里", "word " * 400, "  Ünïcode 😀  "]


@pytest.fixture(scope="module")
def alone() -> SentenceTransformer:
    """The model as its library loads it, of which the router knows nothing."""
    return SentenceTransformer(str(carried_folder()), device="cpu")


def test_vectors_are_the_librarys(encoder: Encoder, alone: SentenceTransformer) -> None:
    found = encoder.embedder.embed(TEXTS)
    assert found.shape == (5, encoder.embedder.dimension) == (5, 384)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, alone.encode(TEXTS), atol=1e-6)
    routed = encoder.encode(TEXTS[:1])
    encoder.embedder.embed(TEXTS)
    np.testing.assert_array_equal(encoder.encode(TEXTS[:1]), routed)  # the router's are left as they were


def test_tokens_are_counted_before_the_cut(encoder: Encoder, alone: SentenceTransformer) -> None:
    counts = encoder.embedder.count(TEXTS)
    assert counts == [len(alone.tokenizer(text)["input_ids"]) for text in TEXTS]
    assert counts[3] == 402 > encoder.embedder.max_tokens == 256
    cut = encoder.embedder.embed(["word " * 254, "word " * 400])
    np.testing.assert_allclose(cut[0], cut[1], atol=1e-6)


def test_a_tokenizer_in_python_counts_too(
    encoder: Encoder, alone: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer, "backend_tokenizer", lambda _: None)
    in_torch = transformer.own_embedder(alone, threading.Lock())
    assert in_torch.count(TEXTS) == encoder.embedder.count(TEXTS)
    np.testing.assert_array_equal(in_torch.embed(TEXTS), alone.encode(TEXTS))
