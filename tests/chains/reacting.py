"""What the tests of react share: tools that answer, fail or hang, and the requests that call them."""

import asyncio
import json
from typing import Any

from chains.errors import ToolFailure
from chains.events import ChainRequest, Event, Step
from chains.testing import (
    Said,
    asked,
)
from chains.tools import tool_from

called: list[str] = []
hanging = asyncio.Event()


def weather(city: str) -> dict[str, str]:
    """Tell the weather."""
    called.append(city)
    if city == "Atlantis":
        raise ToolFailure("no such city")
    if city == "Pompeii":
        raise RuntimeError("lava")
    return {"city": city, "sky": "晴"}


async def hang() -> None:
    """Hang."""
    called.append("hang")
    hanging.set()
    try:
        await asyncio.Event().wait()
    finally:
        called.append("let go")


TOOLS = {"weather": tool_from(weather), "hang": tool_from(hang)}


def asking(stream: bool, tools: tuple[str, ...] = ("weather",), **more: Any) -> ChainRequest:
    return asked(stream, "Weather in Bonn?", tools=tools, **more)


def calls(*cities: str, say: str = "") -> Said:
    wanted = [("weather", json.dumps({"city": city}, ensure_ascii=False)) for city in cities]
    return Said([*say], wanted, reason="tool_calls")


def steps(events: list[Event]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]
