"""An MCP server over its pipes, of the protocol's handshake and two methods; starts at once.

With ``--ended FILE`` it says in the file that it ended by itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LOCATE = {
    "name": "locate",
    "description": "Say where a parcel is.",
    "inputSchema": {"type": "object", "properties": {"parcel_id": {"type": "string"}}},
}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        answer: dict[str, object] = {"jsonrpc": "2.0", "id": asked["id"]}
        method, given = asked["method"], asked.get("params") or {}
        if method == "initialize":
            answer["result"] = {
                "protocolVersion": given["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "pipes", "version": "1"},
            }
        elif method == "tools/list":
            answer["result"] = {"tools": [LOCATE]}
        elif method == "tools/call":
            text = f"{given['arguments']['parcel_id']} is in 罗马"
            answer["result"] = {"content": [{"type": "text", "text": text}]}
        else:
            answer["error"] = {"code": -32601, "message": f"no method {method}"}
        print(json.dumps(answer), flush=True)
    if "--ended" in sys.argv:
        Path(sys.argv[-1]).write_text("ended", "utf-8")


if __name__ == "__main__":
    main()
