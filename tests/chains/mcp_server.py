"""A small MCP server, to be served over HTTP, or over its pipes when it is run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

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


@server.tool()
def nap(seen: str) -> str:
    """Write this process's id and a child's to the file ``seen``, and sleep as a tool does that blocks."""
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    written = Path(f"{seen}.new")
    written.write_text(f"{os.getpid()} {child.pid}", "utf-8")
    written.rename(seen)
    time.sleep(600)
    return ""


if __name__ == "__main__":
    server.run()
