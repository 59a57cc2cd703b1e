"""Whether a class is a chain, as far as is seen before it runs: told when routes are read, with the fix."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from pydantic import BaseModel

_TAKES = {"run": ("request", "engine"), "warm": ("resources",)}
_WRITTEN = {"run": "async def run(self, request, engine)", "warm": "def warm(self, resources)"}


def breaches(kind: object) -> Iterator[str]:
    """What keeps ``kind`` from being a chain, each with what to do; none: as far as is seen it is one."""
    if not inspect.isclass(kind):
        yield f"it is no class, but {type(kind).__name__}: name the class itself, as module:Class"
        return
    for name, taken in _TAKES.items():
        found = getattr(kind, name, None)
        if not callable(found):
            yield f"the class has no method {name!r}: add {_WRITTEN[name]}"
        elif not _takes(kind, name, len(taken)):
            yield f"its {name} can't be called with {' and '.join(taken)}: write it as {_WRITTEN[name]}"
        elif name == "run" and not inspect.isasyncgenfunction(inspect.unwrap(found)):
            yield f"its run is no async generator: write it as {_WRITTEN[name]} that yields each event"
        elif name == "warm" and inspect.iscoroutinefunction(inspect.unwrap(found)):
            yield f"its warm is a coroutine, which nobody awaits: write it as {_WRITTEN[name]}"
    options = getattr(kind, "Options", None)
    if options is not None and not (inspect.isclass(options) and issubclass(options, BaseModel)):
        yield "its Options is no pydantic model: derive it from pointsman.document.Document"


def _takes(kind: type, name: str, given: int) -> bool:
    """Whether the method ``name`` of an instance takes so many arguments by position."""
    found = inspect.getattr_static(kind, name)
    bound = found.__get__(object(), kind) if hasattr(found, "__get__") else found
    try:
        inspect.signature(bound).bind(*[None] * given)
    except TypeError:
        return False
    except ValueError:  # compiled, and does not say
        return True
    return True
