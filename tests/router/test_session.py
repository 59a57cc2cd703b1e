"""The encoder's export: kept, checked, and done without where it can't be made."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from router import export, session
from router.encoder import Encoder


def refuse(*_: object) -> bytes:
    raise RuntimeError("no such operator\nand a long story")


def test_the_export_agrees_with_torch(encoder: Encoder) -> None:
    expected = encoder._model.encode(list(session.PROBES), normalize_embeddings=True)
    cosines = (encoder.encode(session.PROBES) * expected).sum(axis=1)
    assert cosines.min() > 0.97
    assert cosines.min() < 0.99999  # eight bits are not thirty-two: else this is torch


def test_a_text_has_exactly_the_same_vector_in_any_batch(encoder: Encoder) -> None:
    texts = ["short", "a much longer text with many words in it", "中文"]
    together = encoder.encode(texts)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_array_equal(encoder.encode([text])[0], vector)


def test_it_is_made_once_and_a_damaged_one_again(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = Encoder(encoder._model, "first", tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        assert Encoder(encoder._model, "second", tmp_path).identity == first.identity
    assert "is made again" in caplog.text
    assert path.stat().st_size == len(whole)
    monkeypatch.setattr(export, "export", refuse)
    assert Encoder(encoder._model, "third", tmp_path).identity == first.identity


def test_an_encoder_that_can_not_be_exported_runs_in_torch(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(export, "export", refuse)
    with caplog.at_level(logging.WARNING):
        slow = Encoder(encoder._model, "slow")
    assert "slow runs in torch, several times slower: no ONNX export (no such operator)" in caplog.text
    assert slow.identity != encoder.identity
    texts = ["where is my parcel", "我的包裹"]
    expected = encoder._model.encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(slow.encode(texts), expected, atol=1e-5)


def test_an_export_that_says_something_else_is_not_used(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(session, "LEAST_COSINE", 0.9999)
    with caplog.at_level(logging.WARNING):
        Encoder(encoder._model, "inexact")
    assert "its vectors differ from torch's" in caplog.text
