"""The parts of the data on all the machine's cores: what comes out does not depend on how many there are."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from training.data.reading.sources import Part
from training.errors import BadRow, BadRows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
R = TypeVar("R")

_tokenizers: dict[str, Any] = {}  # of this worker process


def tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """The tokenizer in ``folder``, loaded once in a worker process."""
    if folder not in _tokenizers:
        from transformers import AutoTokenizer

        _tokenizers[folder] = AutoTokenizer.from_pretrained(folder)
    return _tokenizers[folder]


def results(read: Callable[[Part], R], parts: Sequence[Part]) -> Iterator[tuple[Part, R]]:
    """Each part with what ``read`` makes of it, in order; worker processes must be able to import ``read``.

    Raises:
        BadRows: behind the last part, those of all parts that ``read`` has raised it for.
    """
    bad: list[BadRow] = []
    with _mapping(len(parts)) as each:
        for part, result in zip(parts, each(partial(_tried, read), parts), strict=True):
            if isinstance(result, BadRows):
                bad += result.rows
            else:
                yield part, result
    if bad:
        raise BadRows(bad)


def _tried(read: Callable[[Part], R], part: Part) -> R | BadRows:
    try:
        return read(part)
    except BadRows as exc:
        return exc


@contextmanager
def _mapping(parts: int) -> Iterator[Callable[[Callable[[T], R], Iterable[T]], Iterator[R]]]:
    """An ordered map over worker processes, or in this one where there is one part or one core."""
    count = min(parts, len(os.sched_getaffinity(0)))
    if count < 2:
        yield map
        return
    # A fresh server forks the workers: this process may hold threads, and those do not survive a fork.
    context: Any = multiprocessing.get_context("forkserver")
    libraries = "transformers.models.auto.tokenization_auto"
    context.set_forkserver_preload(["training.data.preparing.prepare_rows", libraries])
    with context.Pool(count) as pool:
        yield pool.imap
