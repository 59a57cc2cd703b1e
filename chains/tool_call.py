"""A call of a server tool, whatever the tool is: bounded in time and in size, and never raising.

A failure is told to the model as text (``error: ...``); a traceback goes to the log and nowhere else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from pydantic_core import to_jsonable_python

from chains.daemon import in_daemon
from chains.errors import ArgumentsWrong, ToolErred, ToolFailure, ToolOutOfOrder
from chains.schemas.schema import AnswerSchema

log = logging.getLogger(__name__)

_CUT = re.compile(r" \.\.\. \(cut, (\d+) characters in all\)\Z")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the model gets to see of one call."""

    text: str
    failed: bool = False
    mendable: bool = False  # it failed in a way in which another call need not
    asked: bool = True  # its arguments fitted; else the user may know what is missing
    said: str | None = None  # why it failed, in words of its own that the user may read


class Tool(Protocol):
    """One tool as the model sees it, and how to call it."""

    @property
    def name(self) -> str: ...

    @property
    def schema(self) -> Mapping[str, Any]:
        """OpenAI's form: ``{"type": "function", "function": {...}}``."""
        ...

    async def call(self, arguments: object, seconds: float, characters: int) -> ToolResult:
        """Call the tool with the model's ``arguments``; never raises for what the tool does.

        Args:
            seconds: wall clock for the call.
            characters: of the result that are kept.
        """
        ...


async def bounded(name: str, coming: Awaitable[object], seconds: float, characters: int) -> ToolResult:
    """What ``coming``, a call of the tool ``name``, comes to."""
    said = None
    try:
        async with asyncio.timeout(seconds):
            value = await coming
            text = value if isinstance(value, str) else await in_daemon(partial(result_text, value), "result")
            return ToolResult(cut(text, characters))
    except TimeoutError:
        text, mendable = f"{name} did not answer within {seconds:g} s", True
    except ArgumentsWrong as exc:
        text = cut(f"error: wrong arguments for {name}: {exc}", characters)
        return ToolResult(text, failed=True, mendable=True, asked=False)
    except ToolOutOfOrder as exc:
        log.error("tool %s failed: %s", name, exc.detail)
        text, mendable = f"{name} failed: {exc}", True
    except ToolErred as exc:
        text, mendable, said = str(exc), True, str(exc)
    except (ToolFailure, ValueError) as exc:
        text, mendable = str(exc), False
    except (Exception, SystemExit) as exc:  # a tool's sys.exit() is no reason to end the gateway
        log.exception("tool %s failed", name)
        text, mendable = f"{name} failed ({type(exc).__name__})", True
    return ToolResult(cut(f"error: {text}", characters), failed=True, mendable=mendable, said=said)


def fitting(arguments: object, schema: AnswerSchema) -> dict[str, Any]:
    """``arguments``, an object that fits ``schema``.

    Raises:
        ArgumentsWrong
    """
    if not isinstance(arguments, dict):
        raise ArgumentsWrong("they must be a JSON object")
    if (problem := schema.problem(json.dumps(arguments))) is not None:
        raise ArgumentsWrong(problem)
    return arguments


def result_text(value: object) -> str:
    """A tool's result as the model sees it: JSON in one line; text stays as it is."""
    if isinstance(value, str):
        return value
    return json.dumps(to_jsonable_python(value, fallback=str), ensure_ascii=False)


def cut(text: str, characters: int) -> str:
    """``text``, or its first ``characters`` and how many there were before any cut."""
    earlier = _CUT.search(text)
    kept, whole = (text[: earlier.start()], int(earlier[1])) if earlier else (text, len(text))
    if len(kept) <= characters:
        return text
    return f"{kept[:characters]} ... (cut, {whole} characters in all)"
