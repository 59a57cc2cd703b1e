"""The carried encoder, and names that are no encoder."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoTokenizer, MPNetConfig, MPNetModel

from router.encoding import exporting
from router.encoding.encoder import Encoder, carried_folder
from router.encoding.session import MOST
from router.encoding.transformer import content_hash, load_model
from router.errors import EncoderError


def test_vectors_have_length_one_and_mean_something(encoder: Encoder) -> None:
    vectors = encoder.encode(["where is my parcel", "has my package arrived", "a sonnet about spring"])
    assert vectors.shape == (3, 2 * 384)  # its own, and that of an inner layer
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    similar = vectors @ vectors.T
    assert similar[0, 1] > similar[0, 2] + 0.2


def test_many_texts_keep_their_order_and_threads_do_not_meet(encoder: Encoder) -> None:
    texts = [f"parcel number {n} " + "is late " * (n % 7) for n in range(80)]
    alone = encoder.encode(texts)
    np.testing.assert_allclose(alone[[3, 50]], encoder.encode([texts[3], texts[50]]), atol=1e-5)
    with ThreadPoolExecutor(3) as pool:
        for together in pool.map(encoder.encode, [texts] * 3):
            np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_texts_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, 768)


def test_a_text_has_the_same_vector_in_any_batch(encoder: Encoder) -> None:
    together = encoder.encode(["short", "a much longer text with many words in it", "中文"])
    for text, vector in zip(
        ("short", "a much longer text with many words in it", "中文"), together, strict=True
    ):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)


def test_the_identity_is_of_the_content_and_not_of_the_files(encoder: Encoder, tmp_path: Path) -> None:
    model = load_model(str(carried_folder()), "carried")
    model.save_pretrained(str(tmp_path / "copied"))
    (tmp_path / "copied" / "README.md").write_text("another\n", encoding="utf-8")
    path = exporting.find(str(tmp_path / "copied"), tmp_path)
    assert path is not None
    exporting.write(load_model(str(tmp_path / "copied"), "copied"), path)
    assert Encoder.load(str(tmp_path / "copied"), tmp_path).identity == encoder.identity
    before = content_hash(model)
    next(model.parameters()).data[0, 0] += 1
    assert content_hash(model) != before


def test_attention_with_a_bias_by_position_is_exported_and_so_is_an_encoder_that_reads_more(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    heads, longest = 2, 2 * MOST
    model = MPNetModel(
        MPNetConfig(
            vocab_size=30_522,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=heads,
            intermediate_size=64,
            max_position_embeddings=longest + 2,
        )
    )
    with torch.no_grad():
        model.encoder.relative_attention_bias.weight.mul_(100)
    model.save_pretrained(tmp_path / "transformer")
    AutoTokenizer.from_pretrained(str(carried_folder())).save_pretrained(tmp_path / "transformer")
    layers = [Transformer(str(tmp_path / "transformer"), max_seq_length=longest), Pooling(32)]
    SentenceTransformer(modules=layers, device="cpu").save(str(tmp_path / "encoder"))
    exporting.make(str(tmp_path / "encoder"), tmp_path)  # which refuses vectors unlike torch's
    exported = Encoder.load(str(tmp_path / "encoder"), tmp_path)
    texts = ["a b c d e f", "f e d c b a"]
    own = load_model(str(tmp_path / "encoder"), "encoder").encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(exported.embedder.embed(texts), own, atol=1e-4)
    assert np.abs(own[0] - own[1]).max() > 0.01  # the order counts


def test_what_encodes_loads_no_torch(encoder: Encoder, exports: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from router.encoding.encoder import Encoder\n"
        f"encoder = Encoder.load(folder=Path({str(exports)!r}))\n"
        "encoder.encode(['a']); encoder.embedder.embed(['a'])\n"
        "print(encoder.identity, *({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [encoder.identity]


@pytest.mark.parametrize("name", ["absent/folder/here", "./no-such-folder"])
def test_a_name_that_is_no_encoder_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EncoderError, match=r"can't be loaded.*expected 'carried', a folder"):
        Encoder.load(name)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="can't be loaded"):
        Encoder.load(str(tmp_path))
