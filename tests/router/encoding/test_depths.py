"""The vector of an inner layer beside the model's own, checked against what transformers gives."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from router.encoding import depths
from router.encoding.depths import ORDINARY, deepened
from router.encoding.encoder import carried_folder
from router.encoding.transformer import content_hash, load_model

TEXTS = ["where is my parcel", "a much longer text with many words in it, so that the other is padded"]


@pytest.fixture(scope="module")
def deep() -> SentenceTransformer:
    return deepened(load_model(str(carried_folder()), "carried"))


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1)


def inner_means(model: SentenceTransformer, texts: list[str]) -> torch.Tensor:
    """``(N, H)``: the mean of each text's tokens after the fourth of six layers, one text at a time."""
    means = []
    for text in texts:
        with torch.inference_mode():
            features = model.tokenizer(text, return_tensors="pt")
            states = model[0].auto_model(**features, output_hidden_states=True).hidden_states
        means.append(states[4][0].mean(dim=0))
    return unit(torch.stack(means))


def test_both_vectors_side_by_side(deep: SentenceTransformer) -> None:
    plain = load_model(str(carried_folder()), "carried")
    own = plain.encode(TEXTS, normalize_embeddings=True)
    both = deep.encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(both[:, :384], own * 0.5**0.5, atol=1e-5)
    centre = inner_means(plain, list(ORDINARY)).mean(dim=0)
    inner = unit(inner_means(plain, TEXTS) - centre).numpy()
    np.testing.assert_allclose(both[:, 384:], inner * 0.5**0.5, atol=1e-4)


def test_the_identity_knows_the_ordinary_texts_but_not_the_last_bits_of_their_mean(
    deep: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = copy.deepcopy(deep)
    inner = model[-1]
    assert isinstance(inner, depths.Inner)
    before = content_hash(model)
    inner.centre = inner.centre * (1 + 1e-6)
    assert content_hash(model) == before
    monkeypatch.setattr(depths, "ORDINARY", (*ORDINARY[1:], "another"))
    assert content_hash(model) != before


def test_what_is_deep_already_or_has_no_layers_stays_as_it_is(deep: SentenceTransformer) -> None:
    assert deepened(deep) is deep
    flat = SentenceTransformer(modules=[StaticEmbedding(deep.tokenizer, embedding_dim=8)])
    assert deepened(flat) is flat
