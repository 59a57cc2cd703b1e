"""Vectors that were made once are not made again."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from router.encoding import memory
from router.encoding.memory import RememberingEncoder
from router.examples import RoutingExamples
from router.router import Router
from tests.router.conftest import FRUIT, METAL, NONE, WordEncoder


def test_only_new_texts_are_encoded(words: WordEncoder, tmp_path: Path) -> None:
    RememberingEncoder(words, tmp_path).encode(["red apple", "iron bar", "red apple"])
    found = RememberingEncoder(words, tmp_path).encode(["deep river", "iron bar"])
    assert words.calls == [("red apple", "iron bar"), ("deep river",)]
    np.testing.assert_array_equal(found, WordEncoder().encode(["deep river", "iron bar"]))


def test_a_refit_encodes_only_the_new_example(words: WordEncoder, tmp_path: Path) -> None:
    Router.fit_or_load(RoutingExamples({"fruit": FRUIT, "metal": METAL}, NONE), words, tmp_path)
    words.calls.clear()
    more = RoutingExamples({"fruit": [*FRUIT, "plum"], "metal": METAL}, NONE)
    Router.fit_or_load(more, words, tmp_path)
    assert words.calls == [("plum",)]


def test_another_encoder_has_vectors_of_its_own(words: WordEncoder, tmp_path: Path) -> None:
    RememberingEncoder(words, tmp_path).encode(["red apple"])
    other = WordEncoder("other")
    RememberingEncoder(other, tmp_path).encode(["red apple"])
    assert other.calls == [("red apple",)]


def test_the_texts_of_the_last_fit_are_kept_first(
    words: WordEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST", 3)
    RememberingEncoder(words, tmp_path).encode(["a", "b", "c"])
    RememberingEncoder(words, tmp_path).encode(["d", "c"])
    words.calls.clear()
    RememberingEncoder(words, tmp_path).encode(["c", "d", "a", "b"])
    assert words.calls == [("b",)]


def test_a_damaged_file_is_made_again(
    words: WordEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    RememberingEncoder(words, tmp_path).encode(["red apple"])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    with caplog.at_level(logging.WARNING):
        RememberingEncoder(words, tmp_path).encode(["red apple"])
    assert "encoded again" in caplog.text
    assert RememberingEncoder(words, tmp_path).encode(["red apple"]).shape == (1, 64)
    assert len(words.calls) == 2
