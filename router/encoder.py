"""Text → unit vectors, by any encoder of sentence-transformers. The only module that imports it.

The model is exported to ONNX once (:mod:`router.session`), and everything is encoded by that; by torch where
an encoder can't be exported. Which of the two is part of the encoder's identity.

Knows nothing of intents. Needs no network for the carried encoder or a folder; a hub id is looked up in the
local cache first, and ``HF_HUB_OFFLINE=1`` keeps it there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pointsman import learned
from pointsman.carried import CARRIED, PACKAGE, encoder_folder
from router.embedding import Embedder
from router.errors import EncoderError
from router.session import PATH, open_session

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 32  # texts between two pauses, and in a pass of torch
_PAUSE_S = 0.001  # in a long call, so that a decision that waits comes in between

Vectors = NDArray[np.float32]


class TextEncoder(Protocol):
    """What the router asks of an encoder."""

    @property
    def identity(self) -> str:
        """A hash: equal for encoders that give equal vectors."""
        ...

    @property
    def inner(self) -> int:
        """How many columns, the last ones, are an inner layer's vector; 0 without one."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)`` L2-normalised vectors of ``N`` texts."""
        ...

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """``(N,)`` whether it was tuned on each of ``N`` texts."""
        ...


class Encoder:
    """A sentence-transformers model on CPU, for any thread: a fit may encode while decisions are made."""

    def __init__(
        self,
        model: SentenceTransformer,
        name: str,
        folder: Path | None = None,
        threads: int = 1,
        learned: frozenset[str] = frozenset(),
    ) -> None:
        from router.depths import Inner, deepened

        self._lock = threading.Lock()  # torch's tokenizers may not be used by two threads at once
        self.embedder = Embedder(model, self._lock)
        self._model = model = deepened(model)
        self.name = name
        self._learned = learned
        weights = content_hash(model)
        self._session = open_session(model, name, weights, folder, threads)
        path = "torch" if self._session is None else PATH
        self._identity = hashlib.sha256(f"{weights} {path}".encode()).hexdigest()
        self._dimension = len(self._pass(["a"])[0])
        last = model[-1]
        self._inner = len(last.centre) if isinstance(last, Inner) else 0

    @classmethod
    def load(cls, name: str = CARRIED, folder: Path | None = None, *, threads: int = 1) -> Encoder:
        """Load ``name``: ``"carried"``, a folder, or a hub id. Code from the model's own folder never runs.

        Its export is kept in ``folder``, where one is given. ``threads`` is torch's for this process; one
        leaves the other cores to the engine.

        Raises:
            EncoderError: it is not there, not a model of sentence-transformers, or what it has learned can't
                be read.
        """
        source = carried_folder() if name == CARRIED else name
        import torch

        _quieten()
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(threads)
        try:
            model = SentenceTransformer(str(source), device="cpu", trust_remote_code=False)
        except Exception as exc:  # the library raises whatever its parts raise
            raise EncoderError(
                f"the encoder {name!r} can't be loaded: {exc}; expected {CARRIED!r}, a folder of a "
                "sentence-transformers model, or the id of one on the hub"
            ) from exc
        model.eval()
        try:
            known = learned.read(Path(source))
        except ValueError as exc:
            raise EncoderError(f"the encoder {name!r}: {exc}") from exc
        return cls(model, name, folder, threads, known)

    @property
    def identity(self) -> str:
        """SHA-256 over weights, tokenizer, layers and what runs them, wherever they were loaded from."""
        return self._identity

    @property
    def inner(self) -> int:
        """How many columns, the last ones, are an inner layer's vector; 0 without one."""
        return self._inner

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)`` float32 vectors of length 1, the model's own beside that of an inner layer."""
        vectors = np.zeros((len(texts), self._dimension), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(texts), _BATCH):
            if start:
                time.sleep(_PAUSE_S)
            places = by_length[start : start + _BATCH]
            vectors[places] = self._pass([texts[place] for place in places])
        return vectors

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """``(N,)`` whether `pointsman train` has tuned it on each of ``texts``."""
        return np.array([learned.key(text) in self._learned for text in texts], dtype=np.bool_)

    def _pass(self, texts: list[str]) -> Any:
        if self._session is not None:
            return [self._session.encode(text) for text in texts]
        with self._lock:
            return self._model.encode(
                texts,
                batch_size=_BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )


def _quieten() -> None:
    """Keep the libraries' notes to developers, and their bars, off the terminal; errors still come."""
    for library in ("torch", "bitsandbytes"):
        logging.getLogger(library).setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()


def carried_folder() -> Path:
    """Where the carried encoder lies.

    Raises:
        EncoderError: its package is not installed.
    """
    folder = encoder_folder()
    if folder is None:
        raise EncoderError(f"the carried encoder is not installed; install the package {PACKAGE}")
    return folder


def content_hash(model: SentenceTransformer) -> str:
    """SHA-256 over all that a vector of ``model`` depends on: weights, layers, tokenizer, prompts."""
    import torch

    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data)
    digest.update(_tokenizer_content(model.tokenizer).encode())
    digest.update(repr((sorted(model.prompts.items()), model.default_prompt_name)).encode())
    digest.update(repr(model.max_seq_length).encode())
    return digest.hexdigest()


def _tokenizer_content(tokenizer: Any) -> str:
    """What it cuts texts into; without truncation and padding, which every call sets anew."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:  # a tokenizer in Python has its vocabulary only
        return json.dumps(sorted(tokenizer.get_vocab().items()))
    content = json.loads(backend.to_str())
    return json.dumps(content | {"truncation": None, "padding": None}, sort_keys=True)
