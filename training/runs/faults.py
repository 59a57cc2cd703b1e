"""What a machine runs out of, named: memory and disk. The libraries say it in many ways."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from training.errors import DiskFull, OutOfMemory

_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
_DISK = ("No space left on device", "os error 28", "Disk quota exceeded")
_WRITER = "PytorchStreamWriter failed"  # all that torch.save says, whatever it was


@contextmanager
def named(run: Path) -> Iterator[None]:
    """Within it memory and disk that run out are errors of ours; ``run`` is the run's folder.

    Raises:
        OutOfMemory, DiskFull
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError, SafetensorError) as exc:
        text = str(exc)
        if isinstance(exc, MemoryError) or any(sign in text for sign in _MEMORY):
            raise OutOfMemory(
                f"the memory is not enough ({_first_line(text)}); lower train.batch_rows and raise "
                "train.accumulate by as much, lower data.max_tokens, or choose a method with fewer weights. "
                "The last checkpoint is whole"
            ) from exc
        full = isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or any(sign in text for sign in (*_DISK, _WRITER)):
            raise DiskFull(
                f"{run} can't be written, the disk is full ({_first_line(text)}); make room and start the "
                "same command again: it goes on from the last checkpoint, which is whole"
            ) from exc
        raise


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "MemoryError"
