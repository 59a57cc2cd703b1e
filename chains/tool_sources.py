"""Where the server tools of a route come from, besides its own Python functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field, model_validator

from chains.errors import ToolDefinitionError
from chains.openapi import OpenApiSource, http_tools
from chains.options import File, headers_in
from chains.tool_call import Tool
from pointsman.document import Document


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
            ToolSourceError: one can't be asked.
        """
        if not self.mcp:
            return []
        from chains.mcp_tools import McpServer, mcp_tools

        found: list[Tool] = []
        for source in self.mcp:
            server = McpServer(source.command, source.url, headers_in(source.headers))
            found += mcp_tools(server, source.tools)
        return found


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
