"""Messages as OpenAI's API takes them: our rows hold parsed arguments and may lack ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Message = dict[str, Any]


def messages(turns: Iterable[Mapping[str, Any]]) -> list[Message]:
    """The turns with every call's arguments as JSON text, and each tool's result tied to its call by id."""
    made: list[Message] = []
    waiting: list[str] = []  # calls that no result has followed yet
    calls = 0
    for turn in turns:
        message = {key: value for key, value in turn.items() if key != "weight"}
        if message.get("tool_calls"):
            given = []
            for call in message["tool_calls"]:
                function = call["function"]
                arguments = function.get("arguments", {})
                if not isinstance(arguments, str):
                    arguments = json.dumps(arguments, ensure_ascii=False)
                name = str(call.get("id") or f"call_{calls}")
                calls += 1
                waiting.append(name)
                function = {**function, "arguments": arguments}
                given.append({"type": "function", **call, "id": name, "function": function})
            message["tool_calls"] = given
        elif message.get("role") == "tool":
            name = message.get("tool_call_id") or (waiting[0] if waiting else f"call_{calls}")
            message["tool_call_id"] = name
            if name in waiting:
                waiting.remove(name)
        made.append(message)
    return made
