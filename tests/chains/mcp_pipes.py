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
ERRORS = {
    "PX-broken": {"code": -32603, "message": "no memory at 10.0.0.7"},
    "PX-wrong": {"code": -32602, "message": "a number has six digits"},
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
            parcel = given["arguments"]["parcel_id"]
            if parcel == "PX-gone":
                sys.exit(3)
            text = "the depot is on fire" if parcel == "PX0" else f"{parcel} is in 罗马"
            answer["result"] = {"content": [{"type": "text", "text": text}], "isError": parcel == "PX0"}
            if parcel in ERRORS:
                answer = {"jsonrpc": "2.0", "id": asked["id"], "error": ERRORS[parcel]}
        else:
            answer["error"] = {"code": -32601, "message": f"no method {method}"}
        print(json.dumps(answer), flush=True)
    if "--ended" in sys.argv:
        Path(sys.argv[-1]).write_text("ended", "utf-8")


if __name__ == "__main__":
    main()
