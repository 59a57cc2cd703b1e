"""Where the server tools of a route come from, besides its own Python functions.

A server that is down when the routes are read holds up its own route alone: that one is refused until the
server answers, and asks it again, with a request, until it does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from chains.daemon import in_daemon
from chains.errors import ToolDefinitionError, ToolServerDown
from chains.openapi import OpenApiSource, http_tools
from chains.options import File, headers_in
from chains.tool_call import Tool
from pointsman.document import Document

if TYPE_CHECKING:
    from chains.mcp_tools import McpServer

log = logging.getLogger("pointsman.tools")

_LIST_SECONDS = 30.0  # for the names of a server's tools, its start included
_RETRY = 5.0  # seconds between two attempts at a server that is down


class McpSource(Document):
    """An MCP server of a route: ``command``, which is started for each call, or ``url``."""

    command: tuple[str, ...] = ()
    url: str | None = Field(default=None, pattern=r"^https?://[^\s/?#@]+(/\S*)?$")
    tools: tuple[str, ...] | None = None  # None: all of them
    headers: File | None = None  # YAML of name: value, for a url

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.command) == (self.url is not None):
            raise ValueError("give either command or url")
        if self.headers is not None and self.url is None:
            raise ValueError("headers are for a url")
        headers_in(self.headers)  # raises what is wrong
        return self

    @property
    def server(self) -> McpServer:
        """Where it is, with its headers."""
        from chains.mcp_tools import McpServer

        return McpServer(self.command, self.url, headers_in(self.headers))

    def listed(self, seconds: float = _LIST_SECONDS) -> Sequence[Tool]:
        """The tools that the server lists, of those that are wanted; blocks.

        Raises:
            ToolServerDown: it can't be reached, or lists none within ``seconds``.
            ToolSourceError: it has not what is wanted.
        """
        from chains.mcp_tools import mcp_tools

        return mcp_tools(self.server, self.tools, seconds)


class ToolSources(Document):
    """The sources of a route's tools."""

    openapi: tuple[OpenApiSource, ...] = ()
    mcp: tuple[McpSource, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> Self:
        try:
            by_name(self.described())
        except ToolDefinitionError as exc:
            raise ValueError(str(exc)) from exc
        return self

    def described(self) -> list[Tool]:
        """The tools that files describe."""
        return [tool for source in self.openapi for tool in http_tools(source)]

    def listed(self) -> list[Tool]:
        """The tools that servers list when they are asked; blocks.

        Raises:
            ToolServerDown: one can't be reached.
            ToolSourceError: one has not what is wanted.
        """
        return [tool for source in self.mcp for tool in source.listed()]


class SourcedTools:
    """The tools of ``sources``: those of files at once, those of servers as soon as these have listed them.

    Belongs to one event loop, but for :meth:`ask`.
    """

    def __init__(self, sources: ToolSources, retry: float = _RETRY) -> None:
        self._sources = sources
        self._retry = retry
        self._tools = sources.described()
        self._next = 0.0  # when a server that is down may be asked again
        self._asking: asyncio.Task[None] | None = None
        self.missing: str | None = "its MCP servers have not been asked for their tools yet"
        if not sources.mcp:
            self.missing = None

    def ask(self) -> None:
        """Ask the servers for their tools; blocks. One that is down is noted in ``missing``.

        Raises:
            ToolSourceError: one has not what is wanted.
            ToolDefinitionError: two tools have one name.
        """
        try:
            tools = [*self._sources.described(), *self._sources.listed()]
        except ToolServerDown as exc:
            self.missing, self._next = str(exc), time.monotonic() + self._retry
            log.warning("%s; its route is refused until it answers", exc)
            return
        by_name(tools)
        self._tools, self.missing = tools, None

    async def now(self) -> list[Tool]:
        """The tools; asks servers that were down once more, at most every some seconds.

        Raises:
            ToolServerDown: one is down still.
        """
        if self.missing is not None and self._asking is None and time.monotonic() >= self._next:
            self._asking = asyncio.create_task(in_daemon(self.ask, "tools"), name="ask for tools")
        if self._asking is not None:
            asking = self._asking
            try:
                await asyncio.shield(asking)  # others wait for it too
            finally:
                if asking.done() and self._asking is asking:
                    self._asking = None
        if self.missing is not None:
            raise ToolServerDown(self.missing, max(1, round(self._retry)))
        return self._tools


def by_name(tools: Iterable[Tool]) -> dict[str, Tool]:
    """``tools`` by their names.

    Raises:
        ToolDefinitionError: two have one name.
    """
    found: dict[str, Tool] = {}
    for tool in tools:
        if tool.name in found:
            raise ToolDefinitionError(f"two tools of the route are named {tool.name!r}")
        found[tool.name] = tool
    return found
