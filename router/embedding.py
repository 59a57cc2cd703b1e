"""Text → the encoder's own vectors, as sentence-transformers gives them, for applications that ask for them.

They are computed in torch, in full precision: what routes in 8 bits beside an inner layer is made for telling
intents apart and nothing else. Whoever calls this does so in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Embedder:
    """A sentence-transformers model, for any thread; ``lock`` is of all that use its tokenizer."""

    def __init__(self, model: SentenceTransformer, lock: threading.Lock) -> None:
        self._model = model
        self._lock = lock
        self._counting = _counting(model)
        self.dimension = int(model.encode("a", show_progress_bar=False).shape[-1])  # H
        self.max_tokens = int(model.max_seq_length)  # of one text, special ones too; the rest would be cut

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, special ones too, before anything is cut."""
        if self._counting is not None:  # a batch, because the tokenizer lets other threads run only then
            return [len(encoding.ids) for encoding in self._counting.encode_batch(list(texts))]
        with self._lock:
            return [len(self._model.tokenizer(text, verbose=False)["input_ids"]) for text in texts]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``(N, H)`` float32; a text of more than ``max_tokens`` is cut there. All texts go in one pass."""
        with self._lock:
            found: NDArray[np.float32] = self._model.encode(
                list(texts), batch_size=max(len(texts), 1), convert_to_numpy=True, show_progress_bar=False
            )
        return found.astype(np.float32, copy=False)


def _counting(model: SentenceTransformer) -> Any:
    """A tokenizer of its own that cuts and pads nothing; None for one that is written in Python."""
    from tokenizers import Tokenizer

    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    tokenizer = Tokenizer.from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
