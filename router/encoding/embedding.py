"""Text → the encoder's own vectors, as sentence-transformers gives them, for applications that ask for them.

They are computed in full precision: what routes in 8 bits beside an inner layer is made for telling intents
apart and nothing else. Whoever calls this does so in a thread of its own.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence

from router.encoding.session import Vectors

Embed = Callable[[Sequence[str]], Vectors]


class Embedder:
    """An encoder's own vectors, for any thread; the first that are asked for load what computes them."""

    def __init__(
        self,
        dimension: int,
        max_tokens: int,
        count: Callable[[Sequence[str]], list[int]],
        load: Callable[[], Embed],
    ) -> None:
        self.dimension = dimension  # H
        self.max_tokens = max_tokens  # of one text, special ones too; the rest would be cut
        self._count = count
        self._load = load
        self._embed: Embed | None = None
        self._lock = threading.Lock()

    def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, special ones too, before anything is cut."""
        return self._count(texts)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)`` float32; a text of more than ``max_tokens`` is cut there."""
        with self._lock:
            if self._embed is None:
                self._embed = self._load()
        return self._embed(texts)


def counting(tokenizer: str) -> Callable[[Sequence[str]], list[int]]:
    """Counts tokens by a ``tokenizer``, JSON of the package tokenizers, that cuts and pads nothing."""
    from tokenizers import Tokenizer

    own = Tokenizer.from_str(tokenizer)
    own.no_padding()
    own.no_truncation()

    def count(texts: Sequence[str]) -> list[int]:  # a batch: the tokenizer lets other threads run only then
        return [len(encoding.ids) for encoding in own.encode_batch(list(texts))]

    return count


def whole_words(tokenizer: str) -> frozenset[str]:
    """The words, in small letters, that a ``tokenizer`` of WordPiece, its JSON, has as one token each.

    None of any other kind, whose tokens do not say whether a word ends with them.
    """
    model = json.loads(tokenizer)["model"]
    if model.get("type") != "WordPiece":
        return frozenset()
    goes_on = model["continuing_subword_prefix"]
    return frozenset(token.lower() for token in model["vocab"] if not token.startswith(goes_on))
