"""Embeddings in an event loop: one worker thread beside the router's, a few texts at a time.

Requests that are answered together take turns, chunk by chunk, and one whose client has left stops after the
chunk that is under way. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, TypeVarTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from chains.errors import ChainTimeout
from router.encoding.embedding import Embedder
from service.errors import InvalidRequest, TooManyRequests
from service.sections import CARRIED

CARRIED_NAME = "all-MiniLM-L6-v2"
_CHUNK = 8  # texts in one pass: about a tenth of a second on one core where all are at their longest
_COUNTED = 256  # texts whose tokens are counted in one go
_MOST = 64  # requests that are worked on or wait

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def encoder_name(encoder: str) -> str:
    """The name that clients give the encoder, from ``router.encoder`` of the settings."""
    if encoder == CARRIED:
        return CARRIED_NAME
    return Path(encoder).name if Path(encoder).is_absolute() else encoder


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for."""

    texts: Sequence[str]
    form: Literal["float", "base64"] = "float"
    dimensions: int | None = None  # the first so many, brought to length 1 again
    cuts: bool = False  # texts over the encoder's length are cut; else they are refused


class Embeddings:
    """Answers requests for embeddings."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds  # a request may take
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embeddings")
        self.held = 0  # requests that are worked on or wait

    async def answer(self, embedder: Embedder, wanted: Wanted, model: str) -> tuple[bytes, int]:
        """The body in OpenAI's form, and the tokens that were read.

        Raises:
            InvalidRequest: more dimensions than there are, or a text that is too long.
            TooManyRequests: too many are waiting.
            ChainTimeout: it took too long.
        """
        if wanted.dimensions is not None and wanted.dimensions > embedder.dimension:
            raise InvalidRequest(
                f"dimensions is {wanted.dimensions}; {model} has {embedder.dimension}", "dimensions"
            )
        async with self._place():
            counts = await self._counts(embedder, wanted)
            tokens = sum(min(count, embedder.max_tokens) for count in counts)
            vectors = np.zeros((len(counts), embedder.dimension), dtype=np.float32)
            by_length = sorted(range(len(counts)), key=counts.__getitem__)
            for start in range(0, len(counts), _CHUNK):
                places = by_length[start : start + _CHUNK]
                texts = [wanted.texts[place] for place in places]
                vectors[places] = await self._in_thread(embedder.embed, texts)
            return await self._in_thread(_body, vectors, wanted, model, tokens), tokens

    def stop(self) -> None:
        """Take no further work."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _counts(self, embedder: Embedder, wanted: Wanted) -> list[int]:
        counts: list[int] = []
        for start in range(0, len(wanted.texts), _COUNTED):
            texts = wanted.texts[start : start + _COUNTED]
            counts += await self._in_thread(embedder.count, texts)
        for index, count in enumerate(counts):
            if count > embedder.max_tokens and not wanted.cuts:
                at = "input" if len(counts) == 1 else f"input[{index}]"
                raise InvalidRequest(
                    f"{at} has {count} tokens and the encoder reads {embedder.max_tokens}: shorten it, or "
                    "give truncate_prompt_tokens: -1 to have it cut there",
                    "input",
                )
        return counts

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None, None]:
        if self.held >= _MOST:
            raise TooManyRequests(f"{self.held} requests for embeddings are waiting; try again later", 1)
        self.held += 1
        try:
            async with asyncio.timeout(self._seconds) as bound:
                yield
        except TimeoutError:
            if bound.expired():
                raise ChainTimeout(self._seconds) from None
            raise
        finally:
            self.held -= 1

    async def _in_thread(self, work: Callable[[*Ts], T], *given: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)


def _body(vectors: NDArray[np.float32], wanted: Wanted, model: str, tokens: int) -> bytes:
    if wanted.dimensions is not None:
        vectors = vectors[:, : wanted.dimensions]
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = np.ascontiguousarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny))
    data = [
        {"object": "embedding", "index": index, "embedding": _told(vector, wanted.form)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    body = {"object": "list", "data": data, "model": model, "usage": usage}
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _told(vector: NDArray[np.float32], form: str) -> NDArray[np.float32] | str:
    if form == "base64":  # little-endian, as OpenAI's clients read it
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector
