"""Vectors of texts that were encoded before, kept in a file, so that a refit encodes only what is new.

One file for each encoder, named and checked by its identity. It holds the texts of the last fit and, up to
``MOST`` in all, texts of fits before it: whoever takes an example back out and in again waits for nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointsman.files import replace
from router.encoding.encoder import TextEncoder, Vectors

log = logging.getLogger("pointsman.router")

MOST = 50_000  # texts kept: 77 MB at 384 dimensions
_KEY = 16  # bytes of a text's hash


class RememberingEncoder:
    """An encoder that looks its vectors up in ``folder`` first. For one fit: it reads once, and writes after
    every call that had to encode.
    """

    def __init__(self, encoder: TextEncoder, folder: Path) -> None:
        self._encoder = encoder
        self._kept: dict[bytes, Vectors] | None = None
        self._path = folder / f"vectors-{encoder.identity[:16]}.safetensors"

    @property
    def identity(self) -> str:
        """That of the encoder behind it, which it gives the vectors of."""
        return self._encoder.identity

    @property
    def inner(self) -> int:
        """As the encoder says."""
        return self._encoder.inner

    @property
    def words(self) -> frozenset[str]:
        """As the encoder says."""
        return self._encoder.words

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """``(N,)``, as the encoder says."""
        return self._encoder.learned(texts)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)``, as the encoder itself gives them."""
        kept = self._kept = self._read() if self._kept is None else self._kept
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY] for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        if missing:
            kept.update(zip(missing, self._encoder.encode(list(missing.values())), strict=True))
            self._write({key: kept[key] for key in dict.fromkeys((*keys, *kept))})
        return np.stack([kept[key] for key in keys])

    def _read(self) -> dict[bytes, Vectors]:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            arrays = load_file(self._path)
            keys, vectors = arrays["keys"], arrays["vectors"]
            return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, SafetensorError) as exc:
            log.warning("%s can't be read, so every example is encoded again: %s", self._path, exc)
            return {}

    def _write(self, kept: dict[bytes, Vectors]) -> None:
        from safetensors.numpy import save

        chosen = list(kept)[:MOST]
        content = save(
            {
                "keys": np.frombuffer(b"".join(chosen), dtype=np.uint8).reshape(-1, _KEY),
                "vectors": np.stack([kept[key] for key in chosen]),
            }
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace(self._path, content)
        except OSError as exc:
            log.warning("the vectors of the examples can't be kept: %s", exc)
