"""Tools of MCP servers, by the ``mcp`` package. Imported when a route names a server.

Each call has a session of its own, opened and closed with it: nothing is kept open between requests, and a
server that is gone is missed by a call and not by the gateway. So a server that keeps something from call to
call within a session is not served.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from chains.errors import (
    ArgumentsWrong,
    ToolErred,
    ToolFailure,
    ToolOutOfOrder,
    ToolServerDown,
    ToolSourceError,
)
from chains.mcp_pipes import piped
from chains.schemas.schema import AnswerSchema, SchemaUnusable
from chains.tool_call import ToolResult, bounded, fitting

_MOST = 128  # tools of one server


@dataclass(frozen=True)
class McpServer:
    """Where a server is: a command that speaks over its pipes, or a URL."""

    command: tuple[str, ...]
    url: str | None
    headers: Mapping[str, str]

    @property
    def shown(self) -> str:
        """What errors call it."""
        return self.url or " ".join(self.command)

    @asynccontextmanager
    async def session(self) -> AsyncGenerator[Client, None]:
        """A session that has begun; ended on the way out, with its process if it has one."""
        if self.url is None:
            async with Client(piped(self.command), cache=None) as client:
                yield client
            return
        async with (
            httpx2.AsyncClient(headers=dict(self.headers), timeout=None, trust_env=False) as http,
            Client(streamable_http_client(self.url, http_client=http), cache=None) as client,
        ):
            yield client


@dataclass(frozen=True)
class McpTool:
    """One tool of a server."""

    name: str
    schema: Mapping[str, Any]
    server: McpServer
    arguments: AnswerSchema

    async def call(self, arguments: object, seconds: float, characters: int) -> ToolResult:
        """Call it in a session of its own; see :class:`chains.tool_call.Tool`."""
        return await bounded(self.name, self._answer(arguments), seconds, characters)

    async def _answer(self, arguments: object) -> str:
        given = fitting(arguments, self.arguments)
        try:
            async with self.server.session() as client:
                answer = await client.call_tool(self.name, given)
        except Exception as exc:
            raise _failure(_plain(exc), self.server) from exc
        texts = [getattr(part, "text", f"[{part.type}, left out]") for part in answer.content]
        said = "\n".join(texts)
        if not texts and answer.structured_content is not None:
            said = json.dumps(answer.structured_content, ensure_ascii=False)
        if answer.is_error:
            raise ToolErred(said or "the tool failed and did not say why")
        return said or "done"


def mcp_tools(server: McpServer, wanted: tuple[str, ...] | None, seconds: float) -> list[McpTool]:
    """The tools of ``server`` that are ``wanted``; None: all. Blocks; not to be called in an event loop.

    ``seconds`` are for all of it, the server's start included.

    Raises:
        ToolServerDown: it can't be reached.
        ToolSourceError: it has no such tool, or one whose arguments can't be checked.
    """
    try:
        listed = asyncio.run(asyncio.wait_for(_listed(server), seconds))
    except TimeoutError as exc:
        message = f"the MCP server {server.shown} did not list its tools within {seconds:g} s"
        raise ToolServerDown(message) from exc
    except Exception as exc:
        said = str(_plain(exc)).partition("\n")[0]  # of an answer that can't be read, pydantic says a page
        raise ToolServerDown(f"the MCP server {server.shown} can't be reached: {said}") from exc
    names = [tool.name for tool in listed]
    if missing := [name for name in wanted or () if name not in names]:
        known = ", ".join(names) or "none"
        raise ToolSourceError(f"the MCP server {server.shown} has no tool {missing[0]!r}; it has: {known}")
    found = []
    for tool in listed:
        if wanted is not None and tool.name not in wanted:
            continue
        function = {"name": tool.name, "description": tool.description or "", "parameters": tool.input_schema}
        try:
            checked = AnswerSchema(tool.input_schema)
        except SchemaUnusable as exc:
            raise ToolSourceError(f"the MCP server {server.shown}: {tool.name}: {exc}") from exc
        found.append(McpTool(tool.name, {"type": "function", "function": function}, server, checked))
    return found


async def _listed(server: McpServer) -> list[Any]:
    async with server.session() as client:
        found: list[Any] = []
        cursor: str | None = None
        while len(found) < _MOST:
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
        return found[:_MOST]


def _plain(error: Exception) -> Exception:
    """The one error in a group of them."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _failure(error: Exception, server: McpServer) -> ToolFailure:
    """What the model is told of a call that came to no result, which is not for the tool to say.

    The specification has errors of the protocol for what is wrong with a call, and for a server that fails.
    """
    if isinstance(error, MCPError) and error.code == INVALID_PARAMS:
        return ArgumentsWrong(error.message)
    how = f"error {error.code}" if isinstance(error, MCPError) else type(error).__name__
    return ToolOutOfOrder(f"its server gave no result ({how})", f"{server.shown}: {error}")
