"""Whether the MCP servers that routes name have the tools that they name: what ``pointsman check`` asks.

The gateway asks them itself at its start. A server may be down while one checks, so one that does not answer
is a warning; one that answers and has not what is named is an error, as it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from chains.daemon import in_daemon
from chains.errors import ToolDefinitionError, ToolServerDown, ToolSourceError
from chains.react import React
from chains.tool_call import Tool
from chains.tool_sources import McpSource, by_name
from chains.tools import tool_by_name
from pointsman.document import DocumentError, lines_of, problem_lines, read
from pointsman.problems import Location, Problem
from service.crosschecks import placed
from service.errors import RoutesRejected
from service.routes import Route, RouteTable
from service.routes_document import CLIENT_TOOLS, FALLBACK

SECONDS = 10.0  # for one server, its start included; all are asked at the same time
_CLOSING = 5.0  # for one that is over its time to be left

Told = Sequence[Tool] | ToolSourceError


def check_servers(path: Path, table: RouteTable, seconds: float = SECONDS) -> list[str]:
    """Ask the servers of ``table``, read from ``path``; what was not looked at, in a sentence each. Blocks.

    Raises:
        RoutesRejected: an answering server has no such tool, or tools of one route have one name.
    """
    asking = [
        (place, route, route.chain.sources.mcp)
        for place, route in _placed(table)
        if isinstance(route.chain, React) and route.chain.sources.mcp
    ]
    sources = list[McpSource]()
    for _, _, named in asking:
        sources += [source for source in named if source not in sources]
    answers = asyncio.run(_answers(sources, seconds))
    lines = lines_of(read(path)) if asking else {}
    problems, waiting = list[Problem](), dict[str, list[str]]()
    for place, route, named in asking:
        told = [answers[sources.index(source)] for source in named]
        for index, answer in enumerate(told):
            if isinstance(answer, ToolServerDown):
                waiting.setdefault(str(answer), []).append(route.title)
            elif isinstance(answer, ToolSourceError):
                problems.append(placed((*place, "mcp", index), str(answer), lines))
        if (twice := _twice(route, told)) is not None:
            problems.append(placed((*place, "mcp"), twice, lines))
    if problems:
        raise RoutesRejected(problem_lines(DocumentError(path, problems)))
    return [f"{why}; {' and '.join(titles)} will wait for it" for why, titles in waiting.items()]


def _placed(table: RouteTable) -> Iterator[tuple[Location, Route]]:
    """Each route, and where its options stand in the file."""
    for index, route in enumerate(table.routes.values()):
        yield ("routes", index, "options"), route
    yield (CLIENT_TOOLS, "options"), table.client_tools
    yield (FALLBACK, "options"), table.fallback


async def _answers(sources: Sequence[McpSource], seconds: float) -> list[Told]:
    """What each server lists of what is wanted, in the order of ``sources``."""
    return await asyncio.gather(*(_answer(source, seconds) for source in sources))


async def _answer(source: McpSource, seconds: float) -> Told:
    try:
        async with asyncio.timeout(seconds + _CLOSING):
            return await in_daemon(partial(source.listed, seconds), "tools")
    except TimeoutError:
        return ToolServerDown(f"the MCP server {source.server.shown} can't be left within {_CLOSING:g} s")
    except ToolSourceError as exc:
        return exc


def _twice(route: Route, told: Sequence[Told]) -> str | None:
    """What is wrong with the names of the route's tools, as far as they are known."""
    assert isinstance(route.chain, React)
    listed = [tool for answer in told if not isinstance(answer, ToolSourceError) for tool in answer]
    try:
        by_name([*map(tool_by_name, route.tools), *route.chain.sources.described(), *listed])
    except ToolDefinitionError as exc:
        return str(exc)
    return None
