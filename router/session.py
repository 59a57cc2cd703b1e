"""The exported encoder at work: one text at a time through ONNX Runtime.

A text's vector depends on nothing but the text: activations are rounded by their own range, and texts in one
batch would share theirs. An export is used only if its vectors agree with torch's. It is written once for
each encoder, beside the router's artefact.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

log = logging.getLogger("pointsman.router")

PATH = "onnx-int8-1"  # names how vectors are made: to be changed with the export
LEAST_COSINE = 0.95  # to torch's vector of each probe; 0.98 and more for the carried encoder
PROBES = (
    "Where is my parcel PX482913? It should have been here on Tuesday.",
    "what's 12.5 + 30",
    "我的包裹在哪里？",
    "Ünïcode, emoji 😀 and CAPITALS",
    "a long text that has to be cut " * 60,
)
_FEATURES = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}


class Session:
    """Text → vector. Any thread may call it."""

    def __init__(self, graph: bytes, tokenizer: Tokenizer, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._inputs = [(given.name, _FEATURES[given.name]) for given in self._session.get_inputs()]
        self._tokenizer = tokenizer

    def encode(self, text: str) -> NDArray[np.float32]:
        """``(H,)``, of length 1."""
        encoding = self._tokenizer.encode(text)
        inputs = {name: np.array([getattr(encoding, kept)], dtype=np.int64) for name, kept in self._inputs}
        vector: NDArray[np.float32] = self._session.run(None, inputs)[0][0]
        return vector


def open_session(
    model: SentenceTransformer, name: str, identity: str, folder: Path | None, threads: int
) -> Session | None:
    """The exported ``model``, kept in ``folder``; None, with a warning, if it can't be exported.

    ``identity`` is the model's and names the file.
    """
    path = None if folder is None else folder / f"encoder-{identity[:16]}-{PATH}.onnx"
    try:
        tokenizer = _tokenizer(model)
        if path is not None and path.is_file():
            try:
                return _checked(Session(path.read_bytes(), tokenizer, threads), model)
            except Exception as exc:  # damaged: ONNX Runtime raises whatever its parts raise
                log.warning("%s can't be used and is made again: %s", path, exc)
        graph = _export(model)
        session = _checked(Session(graph, tokenizer, threads), model)
    except Exception as exc:  # torch's exporter and ONNX Runtime raise whatever their parts raise
        reason = (str(exc).strip() or type(exc).__name__).splitlines()[0]
        log.warning("the encoder %s runs in torch, several times slower: no ONNX export (%s)", name, reason)
        return None
    if path is not None:
        _write(path, graph)
    return session


def _export(model: SentenceTransformer) -> bytes:
    from router.export import export

    features = model.preprocess([PROBES[0]])
    names = [name for name, value in features.items() if name in _FEATURES and value is not None]
    return export(model, names, features["input_ids"])


def _tokenizer(model: SentenceTransformer) -> Tokenizer:
    """The model's own, which pads nothing and cuts where the model does."""
    from tokenizers import Tokenizer

    if model.default_prompt_name is not None:
        raise ValueError(f"it puts the prompt {model.default_prompt_name!r} before every text")
    tokenizer = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(model.max_seq_length)
    return tokenizer


def _checked(session: Session, model: SentenceTransformer) -> Session:
    expected: Any = model.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    cosines = [float(session.encode(text) @ vector) for text, vector in zip(PROBES, expected, strict=True)]
    if not min(cosines) >= LEAST_COSINE:
        raise ValueError(
            f"its vectors differ from torch's: cosine {min(cosines):.3f}, {LEAST_COSINE} is needed"
        )
    return session


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as exc:
        log.warning("the encoder's export can't be kept, so the next start makes it again: %s", exc)
