"""What goes wrong below us, named: no memory, no disk, no number. The libraries say it in many ways."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from training.errors import DiskFull, LossNotFinite, OutOfMemory
from training.runs.folder import RunFolder

_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
_DISK = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122")
_LIMIT = ("File too large", "os error 27")
_WRITER = ("PytorchStreamWriter failed", "unexpected pos")  # all that torch.save says, whatever it was
_CHANCES = "probability tensor contains either"  # of a policy's next tokens, as they are drawn


@contextmanager
def named(run: RunFolder) -> Iterator[None]:
    """Within it memory and disk that run out are errors of ours, and so are a policy's chances that are none.

    Raises:
        OutOfMemory, DiskFull, LossNotFinite
        KeyboardInterrupt: with what the same command does then.
    """
    try:
        yield
    except KeyboardInterrupt as exc:
        raise KeyboardInterrupt(f"the same command {run.again}") from exc
    except (MemoryError, RuntimeError, OSError, SafetensorError) as exc:
        text = str(exc)
        if isinstance(exc, MemoryError) or any(sign in text for sign in _MEMORY):
            raise OutOfMemory(
                f"the memory is not enough ({_first_line(text)}); lower train.batch_rows and raise "
                "train.accumulate by as much, lower data.max_tokens, or choose a method with fewer weights; "
                "that is another recipe, which begins anew (--set name=...). With more memory this command "
                f"{run.again}"
            ) from exc
        if getattr(exc, "errno", None) == errno.EFBIG or any(sign in text for sign in _LIMIT):
            raise DiskFull(
                f"{run.path} can't be written, a file in it would be larger than is allowed here "
                f"({_first_line(text)}); raise the limit (ulimit -f, or the file system's) and start the "
                f"same command again: it {run.again}"
            ) from exc
        full = isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or any(sign in text for sign in (*_DISK, *_WRITER)):
            raise DiskFull(
                f"{run.path} can't be written, the disk is full ({_first_line(text)}); make room and start "
                f"the same command again: it {run.again}"
            ) from exc
        if _CHANCES in text:
            raise LossNotFinite(
                "the chances of the next token are NaN or infinite, so no answer can be sampled: weights of "
                "the base or the adapter are broken. If training broke them, a lower learning_rate helps"
            ) from exc
        raise


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else "MemoryError"
