"""A model of sentence-transformers in torch: what is exported, and what runs where it can't be.

It imports the library, and torch with it, as what makes an export does: a gateway whose encoder is exported
already imports none of them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers import SentenceTransformer

from pointsman.carried import CARRIED
from router.encoding.depths import Inner, deepened
from router.encoding.embedding import Embed, Embedder, counting, whole_words
from router.errors import EncoderError

if TYPE_CHECKING:
    from router.encoding.session import Vectors

BATCH = 32  # texts in a pass


def load_model(source: str, name: str) -> SentenceTransformer:
    """The model in the folder, or of the hub id, ``source``. Code from its own folder never runs.

    Raises:
        EncoderError: it is not there, or not a model of sentence-transformers.
    """
    _quieten()
    try:
        model = SentenceTransformer(source, device="cpu", trust_remote_code=False)
    except Exception as exc:  # the library raises whatever its parts raise
        raise EncoderError(
            f"the encoder {name!r} can't be loaded: {exc}; expected {CARRIED!r}, a folder of a "
            "sentence-transformers model, or the id of one on the hub"
        ) from exc
    model.eval()
    return model


class Torch:
    """``model`` as an encoder, several times slower than its export."""

    def __init__(self, model: SentenceTransformer, threads: int) -> None:
        torch.set_num_threads(threads)
        self._lock = threading.Lock()  # the tokenizers may not be used by two threads at once
        self.model = deepened(model)
        self.identity = hashlib.sha256(f"{content_hash(self.model)} torch".encode()).hexdigest()
        self.inner = inner_columns(self.model)
        self.dimension = self.encode_all(["a"]).shape[1]
        self.embedder = own_embedder(model, self._lock)

    @cached_property
    def words(self) -> frozenset[str]:
        backend = backend_tokenizer(self.model)
        return frozenset() if backend is None else whole_words(backend)

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)`` of length 1."""
        with self._lock:
            found: Vectors = self.model.encode(
                list(texts),
                batch_size=BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return found


def own_embedder(model: SentenceTransformer, lock: threading.Lock) -> Embedder:
    """The own vectors of ``model``; ``lock`` is of all that use its tokenizer."""

    def count(texts: Sequence[str]) -> list[int]:  # for a tokenizer that is written in Python
        with lock:
            return [len(model.tokenizer(text, verbose=False)["input_ids"]) for text in texts]

    backend = backend_tokenizer(model)
    dimension = int(model.encode("a", show_progress_bar=False).shape[-1])
    return Embedder(
        dimension,
        int(model.max_seq_length),
        count if backend is None else counting(backend),
        lambda: own_vectors(model, lock),
    )


def own_vectors(model: SentenceTransformer, lock: threading.Lock) -> Embed:
    """``model``'s own vectors of texts, all in one pass."""

    def embed(texts: Sequence[str]) -> Vectors:
        with lock:
            found: Vectors = model.encode(
                list(texts), batch_size=max(len(texts), 1), convert_to_numpy=True, show_progress_bar=False
            )
        return found.astype("float32", copy=False)

    return embed


def inner_columns(model: SentenceTransformer) -> int:
    """How many columns of its vectors, the last ones, are an inner layer's; 0 without one."""
    last = model[-1]
    return len(last.centre) if isinstance(last, Inner) else 0


def backend_tokenizer(model: SentenceTransformer) -> str | None:
    """The JSON of its tokenizer; None for one that is written in Python."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    return None if backend is None else str(backend.to_str())


def content_hash(model: SentenceTransformer) -> str:
    """SHA-256 over all that a vector of ``model`` depends on: weights, layers, tokenizer, prompts."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data)
    digest.update(_tokenizer_content(model).encode())
    digest.update(repr((sorted(model.prompts.items()), model.default_prompt_name)).encode())
    digest.update(repr(model.max_seq_length).encode())
    return digest.hexdigest()


def _tokenizer_content(model: SentenceTransformer) -> str:
    """What it cuts texts into; without truncation and padding, which every call sets anew."""
    backend = backend_tokenizer(model)
    if backend is None:
        return json.dumps(sorted(model.tokenizer.get_vocab().items()))
    content: dict[str, Any] = json.loads(backend)
    return json.dumps(content | {"truncation": None, "padding": None}, sort_keys=True)


def _quieten() -> None:
    """Keep the libraries' notes to developers, and their bars, off the terminal; errors still come."""
    for library in ("torch", "bitsandbytes"):
        logging.getLogger(library).setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
