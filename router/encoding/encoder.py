"""Text → unit vectors, by any encoder of sentence-transformers.

The model is exported to ONNX once (:mod:`router.encoding.exporting`), and everything is encoded by that, so
that the process that encodes loads no torch; where an encoder can't be exported, torch runs it here
(:mod:`router.encoding.transformer`). Which of the two is part of the encoder's identity.

Knows nothing of intents. Needs no network for the carried encoder or a folder; a hub id is looked up in the
local cache first, and ``HF_HUB_OFFLINE=1`` keeps it there.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pointsman import learned
from pointsman.carried import CARRIED, PACKAGE, encoder_folder
from router.encoding import exporting
from router.encoding.embedding import Embed, Embedder, counting, whole_words
from router.encoding.session import Session
from router.errors import EncoderError

log = logging.getLogger("pointsman.router")

Vectors = NDArray[np.float32]

_BATCH = 32  # texts between two pauses
_PAUSE_S = 0.001  # in a long call, so that a decision that waits comes in between


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

    @property
    def words(self) -> frozenset[str]:
        """The words, in small letters, that it knows as a whole; none where its vocabulary doesn't tell."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)`` L2-normalised vectors of ``N`` texts."""
        ...

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """``(N,)`` whether it was tuned on each of ``N`` texts."""
        ...


class _Runner(Protocol):
    """A model at work."""

    identity: str
    inner: int
    dimension: int
    embedder: Embedder

    @property
    def words(self) -> frozenset[str]: ...

    def encode_all(self, texts: Sequence[str]) -> Vectors: ...


class Encoder:
    """A sentence-transformers model on CPU, for any thread: a fit may encode while decisions are made."""

    def __init__(self, runner: _Runner, name: str, learned: frozenset[str] = frozenset()) -> None:
        self._runner = runner
        self.name = name
        self._learned = learned

    @classmethod
    def load(cls, name: str = CARRIED, folder: Path | None = None, *, threads: int = 1) -> Encoder:
        """Load ``name``: ``"carried"``, a folder, or a hub id. Code from the model's own folder never runs.

        Its export is kept in ``folder``; without one it is made anew each time. ``threads`` work on a text;
        one leaves the other cores to the engine.

        Raises:
            EncoderError: it is not there, not a model of sentence-transformers, or what it has learned can't
                be read.
        """
        source = str(carried_folder()) if name == CARRIED else name
        try:
            known = learned.read(Path(source))
        except ValueError as exc:
            raise EncoderError(f"the encoder {name!r}: {exc}") from exc
        try:
            runner: _Runner = _Exported.open(source, folder, threads)
        except exporting.Refused as exc:
            log.warning("the encoder %s runs in torch, several times slower: no ONNX export (%s)", name, exc)
            from router.encoding.transformer import Torch, load_model

            runner = Torch(load_model(source, name), threads)
        return cls(runner, name, known)

    @property
    def identity(self) -> str:
        """SHA-256 over weights, tokenizer, layers and what runs them, wherever they were loaded from."""
        return self._runner.identity

    @property
    def inner(self) -> int:
        """How many columns, the last ones, are an inner layer's vector; 0 without one."""
        return self._runner.inner

    @property
    def words(self) -> frozenset[str]:
        """The words, in small letters, that are one token each; none unless its tokenizer is of WordPiece."""
        return self._runner.words

    @property
    def embedder(self) -> Embedder:
        """Gives the model's own vectors."""
        return self._runner.embedder

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)`` float32 vectors of length 1, the model's own beside that of an inner layer."""
        vectors = np.zeros((len(texts), self._runner.dimension), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(texts), _BATCH):
            if start:
                time.sleep(_PAUSE_S)
            places = by_length[start : start + _BATCH]
            vectors[places] = self._runner.encode_all([texts[place] for place in places])
        return vectors

    def learned(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """``(N,)`` whether `pointsman train` has tuned it on each of ``texts``."""
        if not self._learned:
            return np.zeros(len(texts), dtype=np.bool_)
        return np.array([learned.key(text) in self._learned for text in texts], dtype=np.bool_)


class _Exported:
    """An encoder's two exports; that of its own vectors is opened by the first that are asked for."""

    def __init__(self, path: Path, source: str, threads: int) -> None:
        self._session = session = Session(path, threads)
        about = session.about
        self.identity, self.inner = about.identity, about.inner
        self.dimension = len(about.probes[0])
        self._own, self._source = exporting.own_vectors_of(path), source
        self.embedder = Embedder(
            about.own_dimension, about.max_tokens, counting(about.tokenizer), lambda: self._load_own(threads)
        )
        self._kept: object = None  # a folder that goes with this object

    @classmethod
    def open(cls, source: str, folder: Path | None, threads: int) -> _Exported:
        """The export in ``folder``; made if it is not there, or damaged.

        Raises:
            exporting.Refused: there can be none.
            EncoderError: the encoder can't be loaded.
        """
        temporary = tempfile.TemporaryDirectory(prefix="pointsman-encoder-") if folder is None else None
        place = Path(temporary.name) if temporary else folder or Path()
        path = None if temporary else exporting.find(source, place)
        if path is not None and path.is_file():
            try:
                return cls(path, source, threads)
            except Exception as exc:  # damaged: ONNX Runtime raises whatever its parts raise
                log.warning("%s can't be used and is made again: %s", path, exc)
        found = cls(exporting.make(source, place), source, threads)
        found._kept = temporary
        return found

    @cached_property
    def words(self) -> frozenset[str]:
        return whole_words(self._session.about.tokenizer)

    def encode_all(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)``, one text at a time."""
        return self._session.encode_all(texts)

    def _load_own(self, threads: int) -> Embed:
        try:
            return Session(self._own, threads, whole=True).encode_all
        except Exception as exc:  # missing or damaged
            log.warning("%s can't be used, so torch gives the encoder's own vectors: %s", self._own, exc)
        from router.encoding.transformer import load_model, own_vectors

        return own_vectors(load_model(self._source, self._source), threading.Lock())


def carried_folder() -> Path:
    """Where the carried encoder lies.

    Raises:
        EncoderError: its package is not installed.
    """
    folder = encoder_folder()
    if folder is None:
        raise EncoderError(f"the carried encoder is not installed; install the package {PACKAGE}")
    return folder
