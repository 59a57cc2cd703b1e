"""A small MCP server, to be served over HTTP."""

from __future__ import annotations

import asyncio

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("parcels")


@server.tool()
def locate(parcel_id: str) -> str:
    """Say where a parcel is."""
    if parcel_id == "PX0":
        raise ToolError("no parcel PX0")
    return f"{parcel_id} is in 罗马"


@server.tool()
async def wait() -> str:
    """Wait for ever."""
    await asyncio.Event().wait()
    return ""
