"""Messages, calls and tools in OpenAI's form: checked, and what public files write otherwise made into it."""

from __future__ import annotations

import json
from typing import Any

from training.data.formats import thoughts, typed_parts
from training.data.row import carried
from training.data.row.fields import FieldError, json_at, shown

ROLES = ("system", "developer", "user", "assistant", "tool")
OTHERS = {
    "function_call": "assistant",
    "observation": "tool",
    "function": "tool",
}  # LLaMA-Factory's; OpenAI's old
MARKS = ("weight", "loss_weight", "loss", "loss_scale", "train", "training")  # of a turn: learned or not;
# OpenAI's, LLaMA-Factory's, AgentInstruct's (and ms-swift's), ms-swift's, and two of axolotl
SILENT = (
    "says nothing: no text, no call, no thought, so that to stop at once would be learned; give what is "
    "answered, or leave the row out"
)


def message(given: Any, at: str) -> dict[str, Any]:
    """A message in OpenAI's form, checked, its calls' arguments parsed; ``at`` is its dotted path."""
    if not isinstance(given, dict):
        raise FieldError(at, f"must be a message, found {shown(given)}")
    turn = thoughts.named(_weighed(typed_parts.joined(given), at), at)
    carried.refuse_left_out_of_turn(turn, at, ("tool_calls", "function_call"))
    role = turn.get("role")
    if role not in (*ROLES, *OTHERS):
        raise FieldError(f"{at}.role", f"must be one of {', '.join((*ROLES, *OTHERS))}, found {shown(role)}")
    if role == "assistant" and turn.get("function_call"):
        turn = _with_old_call(turn, at)
    content, calls = turn.get("content"), turn.get("tool_calls")
    if not isinstance(content, str | list) and not (content is None and calls):
        raise FieldError(f"{at}.content", f"must be a text, found {shown(content)}")
    for i, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part.get("text") if isinstance(part, dict) else part, str):
            raise FieldError(
                f"{at}.content.{i}",
                f'must be a text, or {{"type": "text", "text": ...}}; found {shown(part)}',
            )
    if role in OTHERS:
        turn = {**turn, "role": OTHERS[role]}
        if role == "function_call" and isinstance(content, str) and not calls:
            return turn | called(content, f"{at}.content")
    if not calls:
        return turn
    if not isinstance(calls, list):
        raise FieldError(f"{at}.tool_calls", "must be a list of calls in OpenAI's form")
    return {**turn, "tool_calls": [_call(call, f"{at}.tool_calls.{i}") for i, call in enumerate(calls)]}


def _weighed(turn: dict[str, Any], at: str) -> dict[str, Any]:
    """``turn`` with the mark by which it is learned or not as its ``weight``, if it has one.

    Raises:
        FieldError: a mark is neither, two of them differ, or one says that what no assistant says is learned.
    """
    given = [key for key in MARKS if turn.get(key) is not None]
    rest = {key: value for key, value in turn.items() if key not in MARKS}
    if odd := next((key for key in given if turn[key] not in (0, 1)), None):
        raise FieldError(
            f"{at}.{odd}", f"must be 0 (not learned) or 1, or false or true; found {shown(turn[odd])}"
        )
    if not given:
        return rest
    if other := next((key for key in given if turn[key] != turn[given[0]]), None):
        raise FieldError(f"{at}.{other}", f"says otherwise than {given[0]} beside it; leave one of them out")
    if turn.get("role") in ("assistant", "function_call"):
        return rest | {"weight": +turn[given[0]]}  # a number, where the mark is true or false
    if turn[given[0]]:
        raise FieldError(
            f"{at}.{given[0]}",
            "says that it is learned, and only what an assistant says is",
        )
    return rest


def _with_old_call(turn: dict[str, Any], at: str) -> dict[str, Any]:
    """``turn`` with OpenAI's old key of one call as ``tool_calls``."""
    if turn.get("tool_calls"):
        raise FieldError(
            f"{at}.function_call", "stands beside tool_calls; give the calls once, as tool_calls"
        )
    rest = {key: value for key, value in turn.items() if key != "function_call"}
    function = _function(turn["function_call"], f"{at}.function_call")
    return rest | {"tool_calls": [{"type": "function", "function": function}]}


def says_nothing(turn: dict[str, Any]) -> bool:
    """Whether a message has neither text nor call nor thought: learned, it would teach to stop at once."""
    content = turn.get("content") or ""
    texts = content if isinstance(content, list) else [content]
    said = "".join(part["text"] if isinstance(part, dict) else part for part in texts)
    if (thought := thoughts.THOUGHT.fullmatch(said)) and not thought[1].strip():
        said = thought[2]
    return not (said.strip() or turn.get("tool_calls") or turn.get(thoughts.KEY))


def called(text: str, at: str) -> dict[str, Any]:
    """``content`` and ``tool_calls`` of a turn that is the JSON text of its calls, thoughts before it or not.

    As LLaMA-Factory's turns of ``function_call`` are; ``at`` is the dotted path of ``text``.
    """
    thought = thoughts.THOUGHT.fullmatch(text)
    parsed = json_at(thought[2] if thought else text, at)
    calls = parsed if isinstance(parsed, list) else [parsed]
    if not calls:
        raise FieldError(at, "is a list of no calls; give the calls, or leave the row out")
    return {
        "content": thoughts.spelled(thought[1]) if thought else "",
        "tool_calls": [_call({"type": "function", "function": call}, at) for call in calls],
    }


def tools_of(raw: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The row's ``tools``, a list or the JSON text of one, as a request to a server holds them.

    Public files have a tool's ``function`` alone too; serving never does, so it is put where it belongs.
    """
    tools = raw.get("tools") or []
    if isinstance(tools, str):
        tools = json_at(tools, "tools") if tools.strip() else []
    if not isinstance(tools, list):
        raise FieldError("tools", "must be a list of tools in OpenAI's form, or the JSON text of one")
    return tuple(_tool(tool, f"tools.{i}") for i, tool in enumerate(tools))


def _tool(given: Any, at: str) -> dict[str, Any]:
    function = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise FieldError(
            at,
            'must be a tool: {"type": "function", "function": {"name": ..., "description": ..., '
            f'"parameters": ...}}}}, or its function alone; found {shown(given)}',
        )
    if not isinstance(function.get("parameters"), dict | None):
        raise FieldError(f"{at}.parameters", f"must be a JSON schema, found {shown(function['parameters'])}")
    return {"type": "function", **given} if "function" in given else {"type": "function", "function": given}


def _call(call: Any, at: str) -> dict[str, Any]:
    function = _function(call.get("function") if isinstance(call, dict) else None, f"{at}.function")
    return {**call, "function": function}


def _function(function: Any, at: str) -> dict[str, Any]:
    """A call's ``{"name", "arguments"}`` with its arguments as an object: a JSON text of them is parsed."""
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise FieldError(f"{at}.name", 'must name the tool: {"name": ..., "arguments": ...}')
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json_at(arguments, f"{at}.arguments")
    if not isinstance(arguments, dict):
        raise FieldError(f"{at}.arguments", f"must be a JSON object, found {shown(arguments)}")
    try:
        json.dumps(arguments, allow_nan=False)
    except ValueError:
        raise FieldError(
            f"{at}.arguments", "holds NaN or Infinity, which is no JSON; give a number"
        ) from None
    return {**function, "arguments": arguments}
