"""The encoder's export: kept, checked, made again where damaged, and done without where it can't be made."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from router.encoding import exporting
from router.encoding.encoder import Encoder, carried_folder
from router.encoding.exporting import Refused
from router.encoding.session import PROBES, About, Session
from router.encoding.transformer import Torch, load_model
from router.errors import EncoderError

LONG = [  # start, middle, end
    ("Hello,", "it rained", "please cancel my card"),
    ("Hello,", "it snowed", "please cancel my card"),
    ("Refund!", "it rained", "please cancel my card"),
    ("Hello,", "it rained", "what is the weather"),
]
TEXTS = ["short", "a much longer text with many words in it", "中文"]


@pytest.fixture(scope="module")
def torch_alone() -> Torch:
    """The carried encoder without an export."""
    return Torch(load_model(str(carried_folder()), "carried"), threads=1)


def refuse(*_: object) -> Path:
    raise Refused("no such operator")


def test_the_export_agrees_with_torch(encoder: Encoder, torch_alone: Torch) -> None:
    cosines = (encoder.encode(PROBES) * torch_alone.encode_all(PROBES)).sum(axis=1)
    assert cosines.min() > 0.97
    assert cosines.min() < 0.99999  # eight bits are not thirty-two: else this is torch


def test_a_text_has_exactly_the_same_vector_in_any_batch(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_array_equal(encoder.encode([text])[0], vector)


def test_a_long_text_is_read_from_both_ends(encoder: Encoder) -> None:
    filler = "and then we went on along the river " * 40
    texts = [f"{first} {filler}{middle} {filler}{last}" for first, middle, last in LONG]
    plain, other_middle, other_start, other_end = encoder.encode(texts)
    assert plain @ other_middle == pytest.approx(1)
    assert plain @ other_start < 0.999
    assert plain @ other_end < 0.999


def test_its_own_vectors_are_of_all_that_the_model_reads(encoder: Encoder) -> None:
    filler = "and then we went on along the river " * 20  # 160 words
    first, second = encoder.embedder.embed([f"{filler} {word} {filler}" for word in ("refund", "weather")])
    assert not np.allclose(first, second)


def test_it_is_made_once_and_a_damaged_one_again(
    encoder: Encoder,
    exports: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = exporting.find(str(carried_folder()), tmp_path)
    assert path is not None
    whole = exports / path.name

    def copied(*_: object) -> Path:
        return Path(shutil.copy(whole, tmp_path))

    path.write_bytes(whole.read_bytes()[:1_000_000])
    monkeypatch.setattr(exporting, "make", copied)
    with caplog.at_level(logging.WARNING):
        assert Encoder.load(folder=tmp_path).identity == encoder.identity
    assert "is made again" in caplog.text
    monkeypatch.setattr(exporting, "make", refuse)
    assert Encoder.load(folder=tmp_path).identity == encoder.identity


def test_an_encoder_that_can_not_be_exported_runs_in_torch(
    encoder: Encoder,
    torch_alone: Torch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(exporting, "make", refuse)
    with caplog.at_level(logging.WARNING):
        slow = Encoder.load(folder=tmp_path)
    assert "carried runs in torch, several times slower: no ONNX export (no such operator)" in caplog.text
    assert slow.identity != encoder.identity
    np.testing.assert_allclose(slow.encode(TEXTS), torch_alone.encode_all(TEXTS), atol=1e-5)
    assert (slow.inner, slow.embedder.dimension) == (encoder.inner, encoder.embedder.dimension)


def test_an_export_that_says_something_else_is_not_used(
    encoder: Encoder, exports: Path, tmp_path: Path
) -> None:
    import onnx

    path = exporting.find(str(carried_folder()), exports)
    assert path is not None
    graph = onnx.load(path)
    about = About.read(graph.metadata_props[0].value)
    wrong = About(**(vars(about) | {"probes": [vector[::-1] for vector in about.probes]}))
    graph.metadata_props[0].value = wrong.text
    onnx.save(graph, tmp_path / "wrong.onnx")
    with pytest.raises(ValueError, match=r"its vectors differ from torch's: cosine .*, 0\.95 is needed"):
        Session(tmp_path / "wrong.onnx", threads=1)


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ("import json; print(json.dumps({'error': 'no model in x'}))", EncoderError, "no model in x"),
        ("import json; print('a note'); print(json.dumps({'refused': 'odd layer'}))", Refused, "odd layer"),
        ("import sys; sys.exit('killed for its memory')", Refused, "status 1: killed for its memory"),
    ],
)
def test_what_the_exporting_process_says_is_told(
    program: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{os.path.realpath('/usr/bin/env')} python3\n{program}\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(error, match=message):
        exporting.make("x", tmp_path)
