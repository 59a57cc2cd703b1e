"""Work that blocks, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class _Daemon(threading.Thread):
    """A thread of :func:`in_daemon`."""


def at_work() -> bool:
    """Whether any is left: one that is in C++ when Python ends aborts the process."""
    return any(isinstance(thread, _Daemon) for thread in threading.enumerate())


async def in_daemon(call: Callable[[], T], name: str) -> T:
    """``call`` in a daemon thread: one that hangs keeps neither a pool nor the process from ending.

    What would end a thread or a generator (``SystemExit``, ``StopIteration``) is raised as a RuntimeError.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(give: Callable[[], None]) -> None:
        if not future.done():
            give()

    def work() -> None:
        try:
            give = partial(future.set_result, context.run(call))
        except StopIteration as exc:  # a future can't hold it
            give = partial(future.set_exception, _named(exc))
        except Exception as exc:
            give = partial(future.set_exception, exc)
        except BaseException as exc:
            give = partial(future.set_exception, _named(exc))
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(settle, give)

    _Daemon(target=work, name=name, daemon=True).start()
    return await future


def _named(error: BaseException) -> RuntimeError:
    raised = RuntimeError(f"{type(error).__name__}: {error}")
    raised.__cause__ = error
    return raised
